import type { HttpClient } from "@tutti/connector-http";
import { type Attempt, type ConnectorFunction, type EffectPreview, parseInput, z } from "@tutti/connector-kit";
import { isDeepStrictEqual } from "node:util";
import type { JsonObject } from "@tutti/model";
import { canonicalName, ZoneName, zoneId } from "./names.ts";
import { changeKept } from "./notes.ts";
import { PowerdnsApi } from "./powerdns-api.ts";
import { recordSetId, recordSetsIn } from "./resources.ts";
import { listZones, loadZone, noZone, refusal, Zone, ZoneAnswer, ZoneKind, zoneOf } from "./zones.ts";

/** PowerDNS' ways of counting a zone's serial up when it is changed through the API. */
const SoaEditApi = z.enum(["DEFAULT", "INCREASE", "EPOCH", "SOA-EDIT", "SOA-EDIT-INCREASE"]);
const Masters = z.array(z.string().min(1)).max(20);

const CreateInput = z.strictObject({
  name: ZoneName,
  kind: ZoneKind.default("Native"),
  nameservers: z.array(ZoneName).max(20).default([]).meta({ description: "Names of the servers that the zone's NS records tell" }),
  masters: Masters.default([]).meta({ description: "Addresses that a Slave zone is transferred from" }),
  soaEditApi: SoaEditApi.default("DEFAULT"),
  dnssec: z.boolean().default(false).meta({ description: "Sign the zone with keys of its own" }),
});
const CreateOutput = z.strictObject({ name: z.string(), token: z.string() });
const ChangeInput = z.strictObject({
  name: ZoneName,
  kind: ZoneKind.optional(),
  masters: Masters.optional(),
  soaEditApi: SoaEditApi.or(z.literal("")).optional(),
  /** The zone's settings must be these, or what is wanted; whoever changed them meanwhile goes before. */
  ifIs: z.strictObject({ kind: z.string(), masters: z.array(z.string()), soaEditApi: z.string() }).optional(),
});
const Settings = z.strictObject({ kind: z.string(), masters: z.array(z.string()), soaEditApi: z.string() });
type Settings = z.infer<typeof Settings>;
const ChangeOutput = z.strictObject({ name: z.string(), after: Settings, before: Settings });
const DeleteInput = z.strictObject({
  name: ZoneName,
  token: z.string().optional().meta({ description: "Only the zone that the call with this token made" }),
  onlyIfEmpty: z.boolean().default(false).meta({ description: "Refuse while there are records besides SOA and NS of the zone itself" }),
});
const Named = z.strictObject({ name: ZoneName });
const NameOutput = z.strictObject({ name: z.string() });

export function zoneFunctions(http: HttpClient): Readonly<Record<string, ConnectorFunction>> {
  const times = { requestTimeoutMs: http.limits.headTimeoutMs, settleMs: 0 };

  /** Findable: the zone's account holds the token. Unique: PowerDNS refuses a second zone of a name. */
  const create: ConnectorFunction = {
    ...times,
    title: "Make a zone",
    input: CreateInput,
    output: CreateOutput,
    effect: "findable",
    unique: true,
    creates: "zone",
    undo: { call: "zone.delete:1", with: { name: "${ .output.name }", token: "${ .output.token }", onlyIfEmpty: true } },
    run: async (given, attempt) => {
      const input = parseInput(CreateInput, given);
      const name = canonicalName(input.name);
      const api = new PowerdnsApi(http, attempt);
      const body = {
        name,
        kind: input.kind,
        nameservers: input.nameservers.map(canonicalName),
        masters: input.masters,
        soa_edit_api: input.soaEditApi,
        dnssec: input.dnssec,
        account: attempt.token,
      };
      const request = { method: "POST", path: "/zones", body, allow: [409] } as const;
      const answer = await api.send(request);
      const zone = answer.status === 409 ? await loadZone(api, name) : api.read(request, answer, ZoneAnswer);
      mustBeOurs(zone, name, attempt);
      return { name, token: attempt.token };
    },
    find: async (given, attempt) => {
      const name = canonicalName(parseInput(CreateInput, given).name);
      const zone = await loadZone(new PowerdnsApi(http, attempt), name);
      return zone?.account === attempt.token ? { name, token: attempt.token } : undefined;
    },
    preview: async (given, attempt) => {
      const input = parseInput(CreateInput, given);
      const name = canonicalName(input.name);
      const present = await loadZone(new PowerdnsApi(http, attempt), name);
      const output = { name, token: attempt.token };
      if (present !== undefined) {
        mustBeOurs(present, name, attempt);
        return { effects: [], output };
      }
      const { kind, dnssec } = input;
      const after = { name, kind, masters: input.masters.toSorted(), dnssec, account: attempt.token };
      const servers = {
        kind: "create",
        resource: "recordset",
        name: recordSetId({ zone: name, name, type: "NS" }),
        isReversible: true,
      } as const;
      return {
        effects: [
          { kind: "create", resource: "zone", name, after, isReversible: true },
          ...(input.nameservers.length === 0 ? [] : [servers]),
        ],
        output,
      };
    },
  };

  /** Idempotent: a desired state, and what was before is kept until the end is stored. */
  const change: ConnectorFunction = {
    ...times,
    title: "Change a zone's settings",
    input: ChangeInput,
    output: ChangeOutput,
    effect: "idempotent",
    changes: "zone",
    undo: {
      call: "zone.change:1",
      with: {
        name: "${ .output.name }",
        kind: "${ .output.before.kind }",
        masters: "${ .output.before.masters }",
        soaEditApi: "${ .output.before.soaEditApi }",
        ifIs: "${ .output.after }",
      },
    },
    run: async (given, attempt) => {
      const api = new PowerdnsApi(http, attempt);
      const { name, current, after } = await plannedChange(api, given);
      const before = await changeKept<Settings>(api, attempt, {
        zone: name,
        current,
        isOurs: isDeepStrictEqual(current, after),
        apply: () =>
          api.order({
            method: "PUT",
            path: `/zones/${zoneId(name)}`,
            body: { kind: after.kind, masters: after.masters, soa_edit_api: after.soaEditApi },
          }),
      });
      return { name, after, before };
    },
    preview: async (given, attempt) => {
      const { name, zone, current, after } = await plannedChange(new PowerdnsApi(http, attempt), given);
      const output = { name, after, before: current };
      if (isDeepStrictEqual(current, after)) return { effects: [], output };
      const was = zoneOf(zone);
      const will = { ...was, kind: after.kind, masters: after.masters.toSorted() };
      return { effects: [{ kind: "change", resource: "zone", name, before: was, after: will, isReversible: true }], output };
    },
  };

  /** Idempotent: what is gone is gone. Nothing keeps a whole zone and its keys, so it can't be undone. */
  const remove: ConnectorFunction = {
    ...times,
    title: "Delete a zone with all its records",
    input: DeleteInput,
    output: NameOutput,
    effect: "idempotent",
    deletes: "zone",
    irreversible: true,
    run: async (given, attempt) => {
      const api = new PowerdnsApi(http, attempt);
      const { name, zone } = await zoneToDelete(api, given);
      if (zone !== undefined) await api.order({ method: "DELETE", path: `/zones/${zoneId(name)}`, allow: [404] });
      return { name };
    },
    preview: async (given, attempt) => {
      const { name, zone } = await zoneToDelete(new PowerdnsApi(http, attempt), given);
      if (zone === undefined) return { effects: [], output: { name } };
      const records = recordSetsIn(zone).map((each) => ({
        kind: "delete" as const,
        resource: "recordset",
        name: recordSetId(each),
        before: each,
        isReversible: false,
      }));
      return {
        effects: [{ kind: "delete", resource: "zone", name, before: zoneOf(zone), isReversible: false }, ...records],
        output: { name },
      };
    },
  };

  const list: ConnectorFunction = {
    ...times,
    title: "List the zones",
    input: z.strictObject({}),
    output: z.strictObject({ zones: z.array(Zone) }),
    effect: "read",
    run: async (given, attempt) => {
      parseInput(z.strictObject({}), given);
      return { zones: [...(await listZones(new PowerdnsApi(http, attempt)))] };
    },
  };

  return {
    "zone.create:1": create,
    "zone.change:1": change,
    "zone.delete:1": remove,
    "zone.list:1": list,
    "zone.notify:1": order(http, "Tell the secondary servers that a zone has changed", "notify"),
    "zone.retrieve:1": order(http, "Transfer a Slave zone from its master now", "axfr-retrieve"),
  };
}

/** What PowerDNS does when it is told to, and again when it is told again. */
function order(http: HttpClient, title: string, verb: "notify" | "axfr-retrieve"): ConnectorFunction {
  return {
    title,
    input: Named,
    output: NameOutput,
    effect: "idempotent",
    requestTimeoutMs: http.limits.headTimeoutMs,
    settleMs: 0,
    run: async (given, attempt) => {
      const name = canonicalName(parseInput(Named, given).name);
      const api = new PowerdnsApi(http, attempt);
      const request = { method: "PUT", path: `/zones/${zoneId(name)}/${verb}`, allow: [404] } as const;
      const answer = await api.send(request);
      if (answer.status === 404) throw noZone(name);
      api.read(request, answer, z.object({ result: z.string() }));
      return { name };
    },
    preview: async (): Promise<EffectPreview> => ({ effects: [], output: undefined }),
  };
}

/** @throws ConnectorError `validation`: the zone is somebody else's. */
function mustBeOurs(zone: ZoneAnswer | undefined, name: string, attempt: Attempt): void {
  if (zone?.account === attempt.token) return;
  const whose = zone === undefined || zone.account === "" ? "" : ` Its account says ${attempt.masked(zone.account)}.`;
  throw refusal(`There is a zone ${name} already, and this call has not made it.${whose} Take another name, or work on the zone as it is.`);
}

async function plannedChange(
  api: PowerdnsApi,
  given: JsonObject,
): Promise<{ readonly name: string; readonly zone: ZoneAnswer; readonly current: Settings; readonly after: Settings }> {
  const input = parseInput(ChangeInput, given);
  const name = canonicalName(input.name);
  const zone = await loadZone(api, name, { name, type: "SOA" });
  if (zone === undefined) throw noZone(name);
  const current = { kind: zone.kind, masters: zone.masters, soaEditApi: zone.soa_edit_api };
  const after = {
    kind: input.kind ?? current.kind,
    masters: input.masters ?? current.masters,
    soaEditApi: input.soaEditApi ?? current.soaEditApi,
  };
  if (input.ifIs !== undefined && !isDeepStrictEqual(current, input.ifIs) && !isDeepStrictEqual(current, after))
    throw refusal(
      `The settings of zone ${name} are not what they were: somebody has changed them since, so they stay as they are.`,
      current,
    );
  return { name, zone, current, after };
}

async function zoneToDelete(
  api: PowerdnsApi,
  given: JsonObject,
): Promise<{ readonly name: string; readonly zone: ZoneAnswer | undefined }> {
  const input = parseInput(DeleteInput, given);
  const name = canonicalName(input.name);
  const zone = await loadZone(api, name);
  if (zone === undefined) return { name, zone };
  if (input.token !== undefined && zone.account !== input.token)
    throw refusal(`The zone ${name} is not the one that the call made: somebody has made another one of this name, so it stays.`);
  const others = recordSetsIn(zone).filter((each) => !(each.name === name && each.type === "NS"));
  if (input.onlyIfEmpty && others.length > 0)
    throw refusal(
      `The zone ${name} holds ${others.length} record sets that this does not know, such as ${others[0]?.name} ${others[0]?.type}: it stays. Delete them first.`,
    );
  return { name, zone };
}
