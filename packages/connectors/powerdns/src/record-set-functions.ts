import type { HttpClient } from "@tutti/connector-http";
import { type ConnectorFunction, mustBeWhole, parseInput, z } from "@tutti/connector-kit";
import type { Json } from "@tutti/model";
import { canonicalName, RecordName, recordName, RecordType, ZoneName, zoneId } from "./names.ts";
import { changeKept } from "./notes.ts";
import { PowerdnsApi } from "./powerdns-api.ts";
import { DnsRecord, isSameSet, patchOf, RecordSet, shownSet } from "./record-sets.ts";
import { recordSetId } from "./resources.ts";
import { loadRecordSet, loadZone, noZone, recordSetIn, refusal } from "./zones.ts";

/** An answer with more is a mistake; PowerDNS and resolvers have trouble long before. */
const RECORDS_MAX = 1000;
const TTL_DEFAULT_S = 300;

const Place = { zone: ZoneName, name: RecordName, type: RecordType };
const SetInput = z.strictObject({
  ...Place,
  records: z
    .array(z.union([z.string().min(1), z.strictObject({ content: z.string().min(1), disabled: z.boolean().default(false) })]))
    .min(1)
    .max(RECORDS_MAX)
    .meta({ description: "All records of the set, as PowerDNS writes them: 10.0.0.1, '10 mail.lab.test.', '\"text\"'" }),
  ttl: RecordSet.shape.ttl.default(TTL_DEFAULT_S).meta({ description: "Seconds that resolvers keep it" }),
  comment: z.string().max(1000).optional().meta({ description: "Replaces the comments that others have left" }),
});
const SetOutput = z.strictObject({
  zone: z.string(),
  name: z.string(),
  type: z.string(),
  ttl: z.number(),
  records: z.array(DnsRecord),
  token: z.string(),
  /** What was there before, null when there was nothing. */
  before: RecordSet.nullable(),
});
const DeleteInput = z.strictObject(Place);
const DeleteOutput = z.strictObject({ zone: z.string(), name: z.string(), type: z.string(), before: RecordSet.nullable() });
const RestoreInput = z.strictObject({
  ...Place,
  before: RecordSet.nullable().meta({ description: "What to put back; null deletes the record set" }),
  token: z.string().nullable().meta({
    description: "Of the call that is taken back: the record set is touched only while it holds this one; null when the call deleted it",
  }),
});
const RestoreOutput = z.strictObject({ zone: z.string(), name: z.string(), type: z.string() });
const ListInput = z.strictObject({ zone: ZoneName, name: RecordName.optional(), type: RecordType.or(z.literal("SOA")).optional() });
const ListOutput = z.strictObject({
  recordSets: z.array(z.strictObject({ name: z.string(), type: z.string(), ttl: z.number(), records: z.array(z.string()) })),
});

/** Where a record set is, by whole names. */
interface Where {
  readonly zone: string;
  readonly name: string;
  readonly type: string;
}

function whereOf(given: { readonly zone: string; readonly name: string; readonly type: string }): Where {
  const zone = canonicalName(given.zone);
  return { zone, name: recordName(given.name, zone), type: given.type };
}

function wantedOf(input: z.infer<typeof SetInput>, before: RecordSet | null, token: string): RecordSet {
  return {
    ttl: input.ttl,
    records: input.records.map((each) => (typeof each === "string" ? { content: each, disabled: false } : each)),
    comments: input.comment === undefined ? (before?.comments ?? []) : [{ content: input.comment, account: "" }],
    token,
  };
}

export function recordSetFunctions(http: HttpClient): Readonly<Record<string, ConnectorFunction>> {
  const times = { requestTimeoutMs: http.limits.headTimeoutMs, settleMs: 0 };
  const patch = (api: PowerdnsApi, { zone, name, type }: Where, wanted: RecordSet | null): Promise<unknown> =>
    api.order({ method: "PATCH", path: `/zones/${zoneId(zone)}`, body: patchOf(name, type, wanted) });

  /** Idempotent: the record set that holds the token is the one that it made, and what was before is kept until the end is stored. */
  const set: ConnectorFunction = {
    ...times,
    title: "Make or replace a record set",
    input: SetInput,
    output: SetOutput,
    effect: "idempotent",
    changes: "recordset",
    undo: {
      call: "recordset.restore:1",
      with: {
        zone: "${ .output.zone }",
        name: "${ .output.name }",
        type: "${ .output.type }",
        before: "${ .output.before }",
        token: "${ .output.token }",
      },
    },
    run: async (given, attempt) => {
      const input = parseInput(SetInput, given);
      const where = whereOf(input);
      const api = new PowerdnsApi(http, attempt);
      const current = await loadRecordSet(api, where.zone, where.name, where.type);
      const before = await changeKept<RecordSet | null>(api, attempt, {
        zone: where.zone,
        current,
        isOurs: current?.token === attempt.token,
        apply: () => patch(api, where, wantedOf(input, current, attempt.token)),
      });
      if (before?.token === attempt.token)
        throw refusal(
          `${where.name} ${where.type} was written by this call, and what was before is not known any more: somebody has removed the note of it.`,
        );
      const { ttl, records } = wantedOf(input, before, attempt.token);
      return { ...where, ttl, records, token: attempt.token, before };
    },
    preview: async (given, attempt) => {
      const input = parseInput(SetInput, given);
      const where = whereOf(input);
      const before = await loadRecordSet(new PowerdnsApi(http, attempt), where.zone, where.name, where.type);
      const wanted = wantedOf(input, before, attempt.token);
      return {
        effects: [
          {
            kind: before === null ? "create" : "change",
            resource: "recordset",
            name: recordSetId(where),
            ...(before === null ? {} : { before: { ...where, ...shownSet(before) } }),
            after: { ...where, ...shownSet(wanted) },
            isReversible: true,
          },
        ],
        output: { ...where, ttl: wanted.ttl, records: wanted.records, token: attempt.token, before },
      };
    },
  };

  /** Idempotent: what is gone is gone, and what was there is kept until the end is stored. */
  const remove: ConnectorFunction = {
    ...times,
    title: "Delete a record set",
    input: DeleteInput,
    output: DeleteOutput,
    effect: "idempotent",
    deletes: "recordset",
    undo: {
      call: "recordset.restore:1",
      with: { zone: "${ .output.zone }", name: "${ .output.name }", type: "${ .output.type }", before: "${ .output.before }", token: null },
    },
    run: async (given, attempt) => {
      const where = whereOf(parseInput(DeleteInput, given));
      const api = new PowerdnsApi(http, attempt);
      const zone = await loadZone(api, where.zone, where);
      if (zone === undefined) return { ...where, before: null };
      const current = recordSetIn(zone, where.name, where.type);
      const before = await changeKept<RecordSet | null>(api, attempt, {
        zone: where.zone,
        current,
        isOurs: current === null,
        apply: async () => (current === null ? undefined : patch(api, where, null)),
      });
      return { ...where, before };
    },
    preview: async (given, attempt) => {
      const where = whereOf(parseInput(DeleteInput, given));
      const zone = await loadZone(new PowerdnsApi(http, attempt), where.zone, where);
      const before = zone === undefined ? null : recordSetIn(zone, where.name, where.type);
      const output = { ...where, before };
      if (before === null) return { effects: [], output };
      const shown = { ...where, ...shownSet(before) };
      return { effects: [{ kind: "delete", resource: "recordset", name: recordSetId(where), before: shown, isReversible: true }], output };
    },
  };

  /** Idempotent: a desired state, and what somebody else has written since is refused. */
  const restore: ConnectorFunction = {
    ...times,
    title: "Put a record set back as it was",
    input: RestoreInput,
    output: RestoreOutput,
    effect: "idempotent",
    changes: "recordset",
    run: async (given, attempt) => {
      const input = parseInput(RestoreInput, given);
      const where = whereOf(input);
      mustBeWhole(input.before, `${where.name} ${where.type}`);
      const api = new PowerdnsApi(http, attempt);
      if (!(await isRestored(api, where, input))) await patch(api, where, input.before);
      return { ...where };
    },
    preview: async (given, attempt) => {
      const input = parseInput(RestoreInput, given);
      const where = whereOf(input);
      const api = new PowerdnsApi(http, attempt);
      if (await isRestored(api, where, input)) return { effects: [], output: { ...where } };
      const { before, token } = input;
      return {
        effects: [
          {
            kind: before === null ? "delete" : token === null ? "create" : "change",
            resource: "recordset",
            name: recordSetId(where),
            ...(before === null ? {} : { after: { ...where, ...shownSet(before) } }),
            isReversible: false,
          },
        ],
        output: { ...where },
      };
    },
  };

  const list: ConnectorFunction = {
    ...times,
    title: "List the record sets of a zone",
    input: ListInput,
    output: ListOutput,
    effect: "read",
    run: async (given, attempt) => {
      const input = parseInput(ListInput, given);
      const zone = canonicalName(input.zone);
      const found = await loadZone(new PowerdnsApi(http, attempt), zone);
      if (found === undefined) throw noZone(zone);
      const name = input.name === undefined ? undefined : recordName(input.name, zone);
      const recordSets = found.rrsets
        .filter(
          (each) => (name === undefined || each.name.toLowerCase() === name) && (input.type === undefined || each.type === input.type),
        )
        .map((each): Json => ({
          name: each.name,
          type: each.type,
          ttl: each.ttl,
          records: each.records.filter(({ disabled }) => !disabled).map(({ content }) => content),
        }));
      return { recordSets };
    },
  };

  return {
    "recordset.set:1": set,
    "recordset.delete:1": remove,
    "recordset.restore:1": restore,
    "recordset.list:1": list,
  };
}

/** Whether the record set is as it was. @throws ConnectorError `validation`: somebody else has written it, or its zone is gone. */
async function isRestored(api: PowerdnsApi, where: Where, input: z.infer<typeof RestoreInput>): Promise<boolean> {
  const zone = await loadZone(api, where.zone, where);
  if (zone === undefined && input.before === null) return true;
  if (zone === undefined) throw noZone(where.zone);
  const current = recordSetIn(zone, where.name, where.type);
  if (isSameSet(current, input.before)) return true;
  const isOurs = current === null ? input.token === null : current.token !== null && current.token === input.token;
  if (isOurs) return false;
  throw refusal(
    `${where.name} ${where.type} is not what the call left: somebody has changed it since, so it is not put back. Look at it, and settle it by hand.`,
    current === null ? "It is gone." : { ...shownSet(current) },
  );
}
