import type { HttpClient } from "@tutti/connector-http";
import { type ConnectorFunction, parseInput, z } from "@tutti/connector-kit";
import type { JsonObject } from "@tutti/model";
import { HostName, nameOf, ServiceName, theObject, TokenText } from "./checkables.ts";
import { IcingaApi } from "./icinga-api.ts";
import { referenceIn } from "./object-functions.ts";
import { act, Author, saidOf } from "./state-functions.ts";

const SECONDS_MAX = 366 * 24 * 3600;
const TOKEN_AT_END = / ?(tok_[0-9a-f]{32})$/;
const Time = z.iso.datetime({ offset: true });

/** A downtime of a host or service. */
export const Downtime = z.strictObject({
  name: z.string(),
  host: z.string(),
  service: z.string().nullable(),
  /** Of the call that made it; null for those of others. */
  token: z.string().nullable(),
  author: z.string(),
  comment: z.string(),
  startAt: z.string(),
  endAt: z.string(),
  isFixed: z.boolean(),
});
export type Downtime = z.infer<typeof Downtime>;

const Found = z.object({
  attrs: z.looseObject({
    __name: z.string(),
    host_name: z.string(),
    service_name: z.string(),
    author: z.string(),
    comment: z.string(),
    start_time: z.number(),
    end_time: z.number(),
    fixed: z.boolean(),
  }),
});

const ScheduleInput = z
  .strictObject({
    host: HostName,
    service: ServiceName.optional().meta({ description: "Left out: the host itself" }),
    allServices: z.boolean().default(false).meta({ description: "Of a host: its services as well" }),
    comment: z.string().min(1).max(4000),
    author: Author,
    startAt: Time.optional().meta({ description: "Left out: now" }),
    endAt: Time.optional(),
    durationSeconds: z.int().min(1).max(SECONDS_MAX).optional().meta({ description: "Instead of endAt" }),
    flexibleSeconds: z
      .int()
      .min(1)
      .max(SECONDS_MAX)
      .optional()
      .meta({ description: "It begins with a problem between start and end, and lasts so long; left out: from start to end" }),
  })
  .refine(({ endAt, durationSeconds }) => (endAt === undefined) !== (durationSeconds === undefined), "name endAt or durationSeconds")
  .refine(({ service, allServices }) => service === undefined || !allServices, "allServices is for a host")
  .refine(
    ({ startAt, endAt }) => startAt === undefined || endAt === undefined || Date.parse(startAt) < Date.parse(endAt),
    "endAt is after startAt",
  );
const ScheduleOutput = z.strictObject({ host: z.string(), service: z.string().nullable(), token: z.string() });
const RemoveInput = z
  .strictObject({
    token: TokenText.optional().meta({ description: "What the call with this token has scheduled" }),
    name: z.string().min(1).max(600).optional().meta({ description: "Or the downtime of this name, as `downtime.list` tells it" }),
  })
  .refine(({ token, name }) => (token === undefined) !== (name === undefined), "name token or name");
const RemoveOutput = z.strictObject({});
const ListInput = z.strictObject({ host: HostName.optional().meta({ description: "Only of this host and its services" }) });

export function downtimeFunctions(http: HttpClient): Readonly<Record<string, ConnectorFunction>> {
  const times = { requestTimeoutMs: http.limits.headTimeoutMs, settleMs: 0 };

  /** Findable: its comment ends with the token. Icinga takes any number of them, so an absent one is believed when the request's time is over. */
  const schedule: ConnectorFunction = {
    ...times,
    title: "Schedule a downtime of a host or service",
    input: ScheduleInput,
    output: ScheduleOutput,
    effect: "findable",
    creates: "downtime",
    undo: { call: "downtime.remove:1", with: { token: "${ .output.token }" } },
    run: async (given, attempt) => {
      const {
        host,
        service,
        allServices,
        comment,
        author,
        startAt,
        endAt,
        durationSeconds = 0,
        flexibleSeconds,
      } = parseInput(ScheduleInput, given);
      const api = new IcingaApi(http, attempt);
      const output = { host, service: service ?? null, token: attempt.token };
      // Of an earlier attempt, perhaps of an input that was corrected since.
      if ((await downtimes(api, withToken(attempt.token))).length > 0) await removeAll(api, withToken(attempt.token));
      const start = startAt === undefined ? Date.now() / 1000 : Date.parse(startAt) / 1000;
      const reference = referenceIn({ host, service });
      const end = await act(api, "schedule-downtime", reference, {
        comment: `${comment} ${attempt.token}`,
        author,
        start_time: start,
        end_time: endAt === undefined ? start + durationSeconds : Date.parse(endAt) / 1000,
        fixed: flexibleSeconds === undefined,
        ...(flexibleSeconds === undefined ? {} : { duration: flexibleSeconds }),
        ...(service === undefined ? { all_services: allServices } : {}),
      });
      if (end.kind !== "done") throw api.refusal(`The downtime of the ${nameOf(reference)} can't be scheduled: ${saidOf(end)}`);
      return output;
    },
    find: async (given, attempt) => {
      const { host, service } = parseInput(ScheduleInput, given);
      const found = await downtimes(new IcingaApi(http, attempt), withToken(attempt.token));
      return found.length === 0 ? undefined : { host, service: service ?? null, token: attempt.token };
    },
    preview: async (given, attempt) => {
      const { host, service, allServices, author, comment } = parseInput(ScheduleInput, given);
      const api = new IcingaApi(http, attempt);
      const output = { host, service: service ?? null, token: attempt.token };
      await theObject(api, referenceIn({ host, service }));
      if ((await downtimes(api, withToken(attempt.token))).length > 0) return { effects: [], output };
      const after = { host, service: service ?? null, author, comment, token: attempt.token };
      const along = allServices ? await servicesOf(api, host) : [];
      const effect = { kind: "create", resource: "downtime", isReversible: true } as const;
      // Icinga names what it makes.
      return { effects: [{ ...effect, after }, ...along.map((each) => ({ ...effect, after: { ...after, service: each } }))], output };
    },
  };

  /** Idempotent: what is gone is gone. */
  const remove: ConnectorFunction = {
    ...times,
    title: "Remove a downtime, and those of services that came with it",
    input: RemoveInput,
    output: RemoveOutput,
    effect: "idempotent",
    deletes: "downtime",
    irreversible: true,
    run: async (given, attempt) => {
      const api = new IcingaApi(http, attempt);
      const filter = meant(given);
      if ((await downtimes(api, filter)).length > 0) await removeAll(api, filter);
      return {};
    },
    preview: async (given, attempt) => {
      const found = await downtimes(new IcingaApi(http, attempt), meant(given));
      return {
        effects: found.map((each) => ({
          kind: "delete" as const,
          resource: "downtime",
          name: each.name,
          before: each,
          isReversible: false,
        })),
        output: {},
      };
    },
  };

  const list: ConnectorFunction = {
    ...times,
    title: "List the downtimes",
    input: ListInput,
    output: z.strictObject({ downtimes: z.array(Downtime) }),
    effect: "read",
    run: async (given, attempt) => {
      const { host } = parseInput(ListInput, given);
      const filter = host === undefined ? undefined : { text: "downtime.host_name == wanted", vars: { wanted: host } };
      return { downtimes: [...(await downtimes(new IcingaApi(http, attempt), filter))] };
    },
  };

  return { "downtime.schedule:1": schedule, "downtime.remove:1": remove, "downtime.list:1": list };
}

interface Filter {
  readonly text: string;
  readonly vars: JsonObject;
}

/** Those that a filter takes; all without one. @throws ConnectorError. */
export async function downtimes(api: IcingaApi, filter?: Filter): Promise<readonly Downtime[]> {
  const body: JsonObject = filter === undefined ? {} : { filter: filter.text, filter_vars: filter.vars };
  const found = await api.find({ method: "POST", path: "/objects/downtimes", body }, Found);
  return found.map(({ attrs }) => ({
    name: attrs.__name,
    host: attrs.host_name,
    service: attrs.service_name === "" ? null : attrs.service_name,
    token: TOKEN_AT_END.exec(attrs.comment)?.[1] ?? null,
    author: attrs.author,
    comment: attrs.comment.replace(TOKEN_AT_END, ""),
    startAt: new Date(attrs.start_time * 1000).toISOString(),
    endAt: new Date(attrs.end_time * 1000).toISOString(),
    isFixed: attrs.fixed,
  }));
}

export function withName(name: string): Filter {
  return { text: "downtime.__name == wanted", vars: { wanted: name } };
}

function withToken(token: string): Filter {
  return { text: "match(wanted, downtime.comment)", vars: { wanted: `*${token}` } };
}

function meant(given: JsonObject): Filter {
  const { token, name = "" } = parseInput(RemoveInput, given);
  return token === undefined ? withName(name) : withToken(token);
}

async function removeAll(api: IcingaApi, filter: Filter): Promise<void> {
  const body = { type: "Downtime", filter: filter.text, filter_vars: filter.vars, author: "Tutti" };
  const end = await api.send({ method: "POST", path: "/actions/remove-downtime", body });
  // What is refused because it went with the one before is gone; what stays is told.
  if (end.kind === "refused" && (await downtimes(api, filter)).length > 0) throw api.refusal(`The downtime can't be removed: ${end.said}`);
}

async function servicesOf(api: IcingaApi, host: string): Promise<readonly string[]> {
  const Named = z.object({ attrs: z.looseObject({ name: z.string() }) });
  const body = { filter: "service.host_name == wanted", filter_vars: { wanted: host } };
  return (await api.find({ method: "POST", path: "/objects/services", body }, Named)).map(({ attrs }) => attrs.name);
}
