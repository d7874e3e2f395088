import { type Attempt, type ConnectorFunction, type EffectPreview, mustBeWhole, parseInput, z } from "@tutti/connector-kit";
import type { Json } from "@tutti/model";
import { type Entry, type FileKind, loadEntries, setEntry } from "./entries.ts";
import { FileName, Word } from "./names.ts";
import { changeKept } from "./notes.ts";
import { ANSWER_MS, RuntimeApi } from "./runtime-api.ts";

const TIMES = { requestTimeoutMs: ANSWER_MS, settleMs: 0 };

const MapName = FileName.meta({ description: "File of the map, as HAProxy's configuration names it" });
const AclName = FileName.meta({ description: "File of the ACL, as HAProxy's configuration names it" });
const Key = Word.meta({ description: "Key in the map" });
const Pattern = Word.meta({ description: "Pattern in the ACL" });

export const MapEntry = z.strictObject({ map: z.string(), key: z.string(), value: z.string() });
export const AclEntry = z.strictObject({ acl: z.string(), pattern: z.string() });
export const mapEntryOf = ({ file, key, value }: Entry): z.infer<typeof MapEntry> => ({ map: file, key, value });
export const aclEntryOf = ({ file, key }: Entry): z.infer<typeof AclEntry> => ({ acl: file, pattern: key });

const MapInput = z.strictObject({
  map: MapName,
  key: Key,
  value: Word.nullable().meta({ description: "What stands for the key; null deletes it" }),
  ifIs: z.string().nullish().meta({ description: "Only while it stands so, or as wanted: for undos" }),
});
const MapOutput = z.strictObject({ map: z.string(), key: z.string(), value: z.string().nullable(), before: z.string().nullable() });

const AclInput = z.strictObject({
  acl: AclName,
  pattern: Pattern,
  present: z.boolean().default(true).meta({ description: "False deletes it" }),
  ifIs: z.boolean().optional().meta({ description: "Only while it is so, or as wanted: for undos" }),
});
const AclOutput = z.strictObject({ acl: z.string(), pattern: z.string(), present: z.boolean(), before: z.boolean() });

/** Of an ACL's entry: it is there. */
const PRESENT = "";

interface Wanted {
  readonly kind: FileKind;
  readonly file: string;
  readonly key: string;
  /** Null: absent. */
  readonly value: string | null;
  readonly ifIs: string | null | undefined;
}

/** Idempotent: a desired state, and what was before is kept until the end is stored. */
const setMapEntry: ConnectorFunction = {
  ...TIMES,
  title: "Set or delete an entry of a map",
  input: MapInput,
  output: MapOutput,
  effect: "idempotent",
  changes: "map-entry",
  undo: {
    call: "map-entry.set:1",
    with: { map: "${ .output.map }", key: "${ .output.key }", value: "${ .output.before }", ifIs: "${ .output.value }" },
  },
  run: async (given, attempt) => {
    const { map, key, value, ifIs } = parseInput(MapInput, given);
    if (ifIs !== undefined) mustBeWhole(value, "The entry");
    return { map, key, value, before: await carryOut({ kind: "map", file: map, key, value, ifIs }, attempt) };
  },
  preview: async (given, attempt) => {
    const { map, key, value, ifIs } = parseInput(MapInput, given);
    const { current, effects } = await foreseen({ kind: "map", file: map, key, value, ifIs }, attempt, "map-entry");
    return { effects, output: { map, key, value, before: current } };
  },
};

/** Idempotent: a desired state, and what was before is kept until the end is stored. */
const setAclEntry: ConnectorFunction = {
  ...TIMES,
  title: "Add a pattern to an ACL, or delete it",
  input: AclInput,
  output: AclOutput,
  effect: "idempotent",
  changes: "acl-entry",
  undo: {
    call: "acl-entry.set:1",
    with: { acl: "${ .output.acl }", pattern: "${ .output.pattern }", present: "${ .output.before }", ifIs: "${ .output.present }" },
  },
  run: async (given, attempt) => {
    const { acl, pattern, present } = parseInput(AclInput, given);
    return { acl, pattern, present, before: (await carryOut(wantedOfAcl(given), attempt)) !== null };
  },
  preview: async (given, attempt) => {
    const { acl, pattern, present } = parseInput(AclInput, given);
    const { current, effects } = await foreseen(wantedOfAcl(given), attempt, "acl-entry");
    return { effects, output: { acl, pattern, present, before: current !== null } };
  },
};

const MapListInput = z.strictObject({ map: MapName });
const AclListInput = z.strictObject({ acl: AclName });

export const ENTRY_FUNCTIONS: Readonly<Record<string, ConnectorFunction>> = {
  "map-entry.set:1": setMapEntry,
  "map-entry.list:1": {
    ...TIMES,
    title: "List the entries of a map",
    input: MapListInput,
    output: z.strictObject({ entries: z.array(MapEntry) }),
    effect: "read",
    run: async (given, attempt) => ({
      entries: (await entriesOf(new RuntimeApi(attempt), "map", parseInput(MapListInput, given).map)).map(mapEntryOf),
    }),
  },
  "acl-entry.set:1": setAclEntry,
  "acl-entry.list:1": {
    ...TIMES,
    title: "List the patterns of an ACL",
    input: AclListInput,
    output: z.strictObject({ entries: z.array(AclEntry) }),
    effect: "read",
    run: async (given, attempt) => ({
      entries: (await entriesOf(new RuntimeApi(attempt), "acl", parseInput(AclListInput, given).acl)).map(aclEntryOf),
    }),
  },
};

export function entryId(file: string, key: string): string {
  return `${file} ${key}`;
}

function wantedOfAcl(given: Parameters<ConnectorFunction["run"]>[0]): Wanted {
  const { acl, pattern, present, ifIs } = parseInput(AclInput, given);
  const state = (is: boolean): string | null => (is ? PRESENT : null);
  return { kind: "acl", file: acl, key: pattern, value: state(present), ifIs: ifIs === undefined ? undefined : state(ifIs) };
}

/** @throws ConnectorError `validation`: HAProxy has no such file. */
async function entriesOf(api: RuntimeApi, kind: FileKind, file: string): Promise<readonly Entry[]> {
  const entries = await loadEntries(api, kind, file);
  if (entries === undefined) throw api.refusal(`HAProxy has no ${kind} ${file}: its configuration must load it under this very name.`);
  return entries;
}

/** What stands there now; null: nothing. @throws ConnectorError `validation`: somebody has changed it since. */
async function currentOf(api: RuntimeApi, { kind, file, key, value, ifIs }: Wanted): Promise<string | null> {
  const current = (await entriesOf(api, kind, file)).find((entry) => entry.key === key)?.value ?? null;
  if (ifIs !== undefined && current !== ifIs && current !== value)
    throw api.refusal(`${key} in ${file} is not what it was: somebody has changed it since, so it stays as it is.`);
  return current;
}

async function carryOut(wanted: Wanted, attempt: Attempt): Promise<string | null> {
  const { kind, file, key, value } = wanted;
  const api = new RuntimeApi(attempt);
  const current = await currentOf(api, wanted);
  return changeKept<string | null>(api, attempt, {
    pool: undefined,
    current,
    isDone: current === value,
    apply: () => setEntry(api, kind, { file, key, from: current, to: value }),
  });
}

async function foreseen(
  wanted: Wanted,
  attempt: Attempt,
  resource: "map-entry" | "acl-entry",
): Promise<{ readonly current: string | null; readonly effects: EffectPreview["effects"] }> {
  const { file, key, value } = wanted;
  const current = await currentOf(new RuntimeApi(attempt), wanted);
  if (current === value) return { current, effects: [] };
  const of = (is: string): Json => (resource === "map-entry" ? mapEntryOf({ file, key, value: is }) : aclEntryOf({ file, key, value: is }));
  const effect = {
    kind: current === null ? ("create" as const) : value === null ? ("delete" as const) : ("change" as const),
    resource,
    name: entryId(file, key),
    ...(current === null ? {} : { before: of(current) }),
    ...(value === null ? {} : { after: of(value) }),
    isReversible: true,
  };
  return { current, effects: [effect] };
}
