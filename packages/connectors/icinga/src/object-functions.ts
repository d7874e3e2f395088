import { isDeepStrictEqual } from "node:util";
import type { HttpClient } from "@tutti/connector-http";
import { type Attempt, type ConnectorFunction, mustBeWhole, parseInput, z } from "@tutti/connector-kit";
import type { Json, JsonObject, Token } from "@tutti/model";
import {
  apiAttributes,
  type Attributes,
  type Checkable,
  checkableOf,
  currentOf,
  findObjects,
  type Found,
  Host,
  HostAttributes,
  HostName,
  idOf,
  type Kind,
  nameOf,
  NOTES_VAR,
  notesOf,
  pathOf,
  readObject,
  type Reference,
  Service,
  ServiceAttributes,
  ServiceName,
  setAttributes,
  State,
  stateOf,
  theObject,
  TOKEN_VAR,
  TokenText,
  tokenOf,
} from "./checkables.ts";
import { IcingaApi } from "./icinga-api.ts";

const TEMPLATES_MAX = 50;
const Templates = z
  .array(z.string().min(1).max(255))
  .max(TEMPLATES_MAX)
  .default([])
  .meta({ description: "Templates of Icinga's own configuration that it takes over" });

/** The functions on hosts and on services are the same, but for how one is named. */
export function objectFunctions(http: HttpClient, kind: Kind): Readonly<Record<string, ConnectorFunction>> {
  const times = { requestTimeoutMs: http.limits.headTimeoutMs, settleMs: 0 };
  const Named = namedBy(kind);
  const AttributesOfKind = (kind === "host" ? HostAttributes : ServiceAttributes) as typeof HostAttributes;
  const Zone = z.string().min(1).max(255).optional().meta({ description: "Zone of Icinga whose endpoints check it" });
  const CreateInput = Named.extend({ attributes: AttributesOfKind, templates: Templates, zone: Zone });
  const Output = kind === "host" ? z.strictObject({ host: z.string() }) : z.strictObject({ host: z.string(), service: z.string() });
  const CreateOutput = Output.extend({ token: z.string() });
  const ChangeInput = Named.extend({
    attributes: AttributesOfKind,
    ifIs: AttributesOfKind.optional().meta({ description: "Only while it is so, or as wanted: for undos" }),
  });
  const ChangeOutput = Output.extend({ before: AttributesOfKind, after: AttributesOfKind });
  const DeleteInput = Named.extend({
    token: TokenText.optional().meta({ description: `Only the ${kind} that the call with this token made` }),
    cascade: z
      .boolean()
      .default(false)
      .meta({ description: "Also what others have made on it through the API: services, downtimes, comments" }),
  });
  const shown = kind === "host" ? Host : Service;
  const arguments_ = Object.fromEntries(Object.keys(Output.shape).map((key) => [key, `\${ .output.${key} }`]));

  /** Findable: the custom variable tutti_token holds the token. Unique: Icinga has one object of a name. */
  const create: ConnectorFunction = {
    ...times,
    title: `Make a ${kind}`,
    input: CreateInput,
    output: CreateOutput,
    effect: "findable",
    unique: true,
    creates: kind,
    undo: { call: `${kind}.delete:1`, with: { ...arguments_, token: "${ .output.token }" } },
    run: async (given, attempt) => {
      const { attributes, templates, zone, ...rest } = parseInput(CreateInput, given);
      const api = new IcingaApi(http, attempt);
      const reference = referenceIn(rest);
      const own: JsonObject = zone === undefined ? {} : { zone };
      const attrs: Record<string, Json> = {
        check_command: kind === "host" ? "hostalive" : "passive",
        ...apiAttributes(attributes),
        ...own,
        [`vars.${TOKEN_VAR}`]: attempt.token,
      };
      // A template may say which check it is.
      if (templates.length > 0 && attributes.checkCommand === undefined) delete attrs["check_command"];
      const end = await api.send({ method: "PUT", path: pathOf(reference), body: { templates: [...templates], attrs } });
      if (end.kind !== "done") {
        const present = await readObject(api, reference);
        mustBeOurs(api, present, { reference, attempt });
        if (present === undefined)
          throw api.refusal(
            `Icinga does not make the ${nameOf(reference)}${end.kind === "refused" ? `: ${end.said}` : ": there is no such host."}`,
          );
        // An input that was corrected since.
        if (!isDeepStrictEqual(currentOf(present, attributes), attributes)) await mustSet(api, reference, apiAttributes(attributes));
      }
      return { ...named(reference), token: attempt.token };
    },
    find: async (given, attempt) => {
      const reference = referenceIn(parseInput(CreateInput, given));
      const present = await readObject(new IcingaApi(http, attempt), reference);
      return present !== undefined && tokenOf(present) === attempt.token ? { ...named(reference), token: attempt.token } : undefined;
    },
    preview: async (given, attempt) => {
      const { attributes, ...rest } = parseInput(CreateInput, given);
      const api = new IcingaApi(http, attempt);
      const reference = referenceIn(rest);
      if (reference.service !== undefined) await theObject(api, { host: reference.host, service: undefined });
      const present = await readObject(api, reference);
      mustBeOurs(api, present, { reference, attempt });
      const output = { ...named(reference), token: attempt.token };
      if (present !== undefined) return { effects: [], output };
      return {
        effects: [{ kind: "create", resource: kind, name: idOf(reference), after: { ...output, ...attributes }, isReversible: true }],
        output,
      };
    },
  };

  /** Idempotent: a desired state, and what was before is kept in a custom variable, set with the change, until the end is stored. */
  const change: ConnectorFunction = {
    ...times,
    title: `Change a ${kind}: what is checked, and how`,
    input: ChangeInput,
    output: ChangeOutput,
    effect: "idempotent",
    changes: kind,
    undo: { call: `${kind}.change:1`, with: { ...arguments_, attributes: "${ .output.before }", ifIs: "${ .output.after }" } },
    run: async (given, attempt) => {
      const api = new IcingaApi(http, attempt);
      const { reference, found, wanted, current } = await plannedChange(api, parseInput(ChangeInput, given));
      attempt.afterStored(async () => removeNote(new IcingaApi(http, attempt), reference, attempt.token));
      const output = (before: JsonObject): JsonObject => ({ ...named(reference), before, after: wanted as JsonObject });
      if (isDeepStrictEqual(current, wanted)) {
        // Kept by an earlier attempt, which read the same attributes.
        const kept = notesOf(found)[attempt.token];
        return output((kept ?? current) as JsonObject);
      }
      const before = current as JsonObject;
      const notes = { ...notesOf(found), [attempt.token]: before };
      const end = await setAttributes(api, reference, { ...apiAttributes(wanted), [`vars.${NOTES_VAR}`]: notes });
      if (end.kind !== "done") {
        // Icinga sets one after the other, so a part may be set.
        await setAttributes(api, reference, apiAttributes(current)).catch(() => {});
        throw api.refusal(`Icinga does not change the ${nameOf(reference)}: ${end.kind === "refused" ? end.said : "it is gone."}`);
      }
      return output(before);
    },
    preview: async (given, attempt) => {
      const { reference, found, wanted, current } = await plannedChange(new IcingaApi(http, attempt), parseInput(ChangeInput, given));
      const output = { ...named(reference), before: current as JsonObject, after: wanted as JsonObject };
      if (isDeepStrictEqual(current, wanted)) return { effects: [], output };
      const was = checkableOf(found);
      const { vars, ...plain } = wanted;
      const after = { ...was, ...plain, vars: withVars(was, vars ?? {}) };
      return { effects: [{ kind: "change", resource: kind, name: idOf(reference), before: was, after, isReversible: true }], output };
    },
  };

  const toDelete = async (
    api: IcingaApi,
    given: JsonObject,
  ): Promise<{ readonly reference: Reference; readonly found: Found | undefined }> => {
    const { token, cascade, ...rest } = parseInput(DeleteInput, given);
    const reference = referenceIn(rest);
    const found = await readObject(api, reference);
    if (found === undefined) return { reference, found };
    if (token !== undefined && tokenOf(found) !== token)
      throw api.refusal(`The ${nameOf(reference)} is not the one that the call ${token} made: it stays.`);
    if (found.package !== "_api")
      throw api.refusal(
        `The ${nameOf(reference)} stands in Icinga's own configuration files (package ${found.package}): take it out there.`,
      );
    const [other] =
      kind === "host" && !cascade
        ? (await findObjects(api, "service", { text: "service.host_name == wantedHost", vars: { wantedHost: reference.host } })).filter(
            (each) => each.package === "_api",
          )
        : [];
    if (other !== undefined)
      throw api.refusal(
        `The ${nameOf(reference)} has services that were made through the API, such as ${other.name}: delete them first, or say cascade.`,
      );
    return { reference, found };
  };
  /** Idempotent: what is gone is gone. Its history goes with it, so it can't be undone. */
  const remove: ConnectorFunction = {
    ...times,
    title: `Delete a ${kind} that was made through the API`,
    input: DeleteInput,
    output: Output,
    effect: "idempotent",
    deletes: kind,
    irreversible: true,
    run: async (given, attempt) => {
      const api = new IcingaApi(http, attempt);
      const { reference, found } = await toDelete(api, given);
      if (found === undefined) return named(reference);
      // Services that Icinga itself has put on a host, and comments, go along.
      const end = await api.send({ method: "DELETE", path: `${pathOf(reference)}?cascade=1` });
      if (end.kind === "refused") throw api.refusal(`Icinga does not delete the ${nameOf(reference)}: ${end.said}`);
      return named(reference);
    },
    preview: async (given, attempt) => {
      const api = new IcingaApi(http, attempt);
      const { reference, found } = await toDelete(api, given);
      if (found === undefined) return { effects: [], output: named(reference) };
      const along =
        kind === "host"
          ? await findObjects(api, "service", { text: "service.host_name == wantedHost", vars: { wantedHost: reference.host } })
          : [];
      return {
        effects: [
          { kind: "delete", resource: kind, name: idOf(reference), before: checkableOf(found), isReversible: false },
          ...along.map((each) => ({ kind: "delete" as const, resource: "service", name: each.__name, isReversible: false })),
        ],
        output: named(reference),
      };
    },
  };

  const read: ConnectorFunction = {
    ...times,
    title: `Read a ${kind}: how it is configured, and its state`,
    input: Named,
    output: shown.extend({ current: State }),
    effect: "read",
    run: async (given, attempt) => {
      const found = await theObject(new IcingaApi(http, attempt), referenceIn(parseInput(Named, given)));
      return { ...checkableOf(found), current: stateOf(found) };
    },
  };

  const Pattern = z.string().min(1).max(255).optional();
  const ListInput = z.strictObject({
    ...(kind === "host" ? {} : { host: HostName.optional().meta({ description: "Only of this host" }) }),
    match: Pattern.meta({ description: "Only those with such a name: web*" }),
    group: Pattern.meta({ description: `Only of this ${kind} group` }),
    problems: z.boolean().default(false).meta({ description: "Only those that have a problem now" }),
  });
  const list: ConnectorFunction = {
    ...times,
    title: `List the ${kind}s with their state`,
    input: ListInput,
    output: z.strictObject({ [`${kind}s`]: z.array(shown.extend({ current: State })) }),
    effect: "read",
    run: async (given, attempt) => {
      const input = parseInput(ListInput, given) as { host?: string; match?: string; group?: string; problems: boolean };
      const parts = [
        input.host === undefined ? undefined : "service.host_name == wantedHost",
        input.match === undefined ? undefined : `match(wantedName, ${kind}.name)`,
        input.group === undefined ? undefined : `wantedGroup in ${kind}.groups`,
        input.problems ? `${kind}.problem` : undefined,
      ].filter((part) => part !== undefined);
      const vars = {
        ...(input.host === undefined ? {} : { wantedHost: input.host }),
        ...(input.match === undefined ? {} : { wantedName: input.match }),
        ...(input.group === undefined ? {} : { wantedGroup: input.group }),
      };
      const found = await findObjects(
        new IcingaApi(http, attempt),
        kind,
        parts.length === 0 ? undefined : { text: parts.join(" && "), vars },
      );
      return { [`${kind}s`]: found.map((each) => ({ ...checkableOf(each), current: stateOf(each) })) };
    },
  };

  return {
    [`${kind}.create:1`]: create,
    [`${kind}.change:1`]: change,
    [`${kind}.delete:1`]: remove,
    [`${kind}.read:1`]: read,
    [`${kind}.list:1`]: list,
  };
}

/** How a function names what it works on. */
export function namedBy(kind: Kind): z.ZodObject<{ host: typeof HostName; service: z.ZodOptional<typeof ServiceName> }, z.core.$strict> {
  const schema = kind === "host" ? z.strictObject({ host: HostName }) : z.strictObject({ host: HostName, service: ServiceName });
  // Both have a host; whether there is a service says the kind.
  return schema as unknown as ReturnType<typeof namedBy>;
}

export function referenceIn(input: { readonly host: string; readonly service?: string | undefined }): Reference {
  return { host: input.host, service: input.service };
}

/** As outputs name it. */
export function named({ host, service }: Reference): { host: string; service: string } {
  // Outputs of hosts have no member service, which the schema of their kind says.
  return (service === undefined ? { host } : { host, service }) as { host: string; service: string };
}

/** @throws ConnectorError `validation`: there is one of this name, and somebody else has made it. */
function mustBeOurs(
  api: IcingaApi,
  present: Found | undefined,
  { reference, attempt }: { readonly reference: Reference; readonly attempt: Attempt },
): void {
  if (present === undefined || tokenOf(present) === attempt.token) return;
  const whose = tokenOf(present);
  throw api.refusal(
    `There is a ${nameOf(reference)} already, and this call has not made it.${whose === null ? "" : ` The call ${whose} has.`} Choose another name, or change it.`,
  );
}

async function plannedChange(
  api: IcingaApi,
  input: {
    readonly host: string;
    readonly service?: string | undefined;
    readonly attributes: Attributes;
    readonly ifIs?: Attributes | undefined;
  },
): Promise<{ readonly reference: Reference; readonly found: Found; readonly wanted: Attributes; readonly current: Attributes }> {
  const reference = referenceIn(input);
  const { attributes: wanted, ifIs } = input;
  mustBeWhole(wanted as JsonObject, `What is set of the ${nameOf(reference)}`);
  const found = await theObject(api, reference);
  const current = currentOf(found, wanted);
  if (ifIs !== undefined && !isDeepStrictEqual(current, ifIs) && !isDeepStrictEqual(current, wanted))
    throw api.refusal(`Somebody has changed the ${nameOf(reference)} since: it stays as it is.`);
  return { reference, found, wanted, current };
}

async function mustSet(api: IcingaApi, reference: Reference, attrs: JsonObject): Promise<void> {
  const end = await setAttributes(api, reference, attrs);
  if (end.kind !== "done")
    throw api.refusal(`Icinga does not change the ${nameOf(reference)}: ${end.kind === "refused" ? end.said : "it is gone."}`);
}

async function removeNote(api: IcingaApi, reference: Reference, token: Token): Promise<void> {
  const found = await readObject(api, reference);
  if (found === undefined || notesOf(found)[token] === undefined) return;
  const { [token]: _, ...others } = notesOf(found);
  await setAttributes(api, reference, { [`vars.${NOTES_VAR}`]: Object.keys(others).length === 0 ? null : others });
}

function withVars(was: Checkable, vars: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries({ ...was.vars, ...vars }).filter(([, value]) => value !== null));
}
