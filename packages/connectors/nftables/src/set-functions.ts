import { isDeepStrictEqual } from "node:util";
import { type Attempt, type ConnectorFunction, mustBeWhole, parseInput, z } from "@tutti/connector-kit";
import type { JsonObject } from "@tutti/model";
import { AddressText, Comment, commentOf, Family, SetName, TableName } from "./names.ts";
import { ANSWER_MS, Nft, type NftEnvironment, PRESENT, type TransactionEnd } from "./nft.ts";
import { PROCESSES_MAX, tableOf } from "./rule-functions.ts";
import { familyOfSet } from "./rule-match.ts";
import type { SetAnswer } from "./ruleset.ts";
import { entriesOf, entryId, SetEntry, valueOf } from "./set-entries.ts";
import { noteCommands, readNote, removeNote } from "./set-notes.ts";

const TIMES = { requestTimeoutMs: ANSWER_MS, settleMs: 0, concurrencyMax: PROCESSES_MAX };
/** A month, as long as nft's own parser is asked to count here. */
const TIMEOUT_SECONDS_MAX = 31 * 24 * 3600;

/** Others may come between a look and its transaction, and hardly twice. */
const TRIES_MAX = 5;

const Place = { family: Family, table: TableName, set: SetName };
const TokenText = z.string().regex(/^tok_[0-9a-f]{32}$/, "a token");
const Timeout = z.int().min(1).max(TIMEOUT_SECONDS_MAX);
const CreateInput = z.strictObject({
  ...Place,
  value: AddressText,
  timeoutSeconds: Timeout.optional().meta({ description: "After this time nftables removes it by itself; the set needs the flag timeout" }),
  comment: Comment.optional(),
});
const Placed = { family: z.string(), table: z.string(), set: z.string(), value: z.string() };
const CreateOutput = z.strictObject({ ...Placed, token: z.string() });
const Kept = z.strictObject({ timeoutSeconds: Timeout.nullable(), token: TokenText.nullable(), comment: z.string().nullable() });
type Kept = z.infer<typeof Kept>;
const DeleteInput = z.strictObject({
  ...Place,
  value: AddressText,
  token: TokenText.optional().meta({ description: "Only the entry that the call with this token made" }),
});
const DeleteOutput = z.strictObject({ ...Placed, before: Kept.nullable() });
const RestoreInput = z.strictObject({
  ...Place,
  value: AddressText,
  before: z
    .strictObject({ timeoutSeconds: Timeout.nullable(), token: TokenText.nullable(), comment: Comment.nullable() })
    .nullable()
    .meta({ description: "What a deletion took away; null when there was nothing" }),
});
const ListInput = z.strictObject(Place);

export function setFunctions(environment: NftEnvironment): Readonly<Record<string, ConnectorFunction>> {
  /** Findable: the entry's comment holds the token. Unique: a set holds a value once, and `create` refuses a second one. */
  const create: ConnectorFunction = {
    ...TIMES,
    title: "Add an address to a set",
    input: CreateInput,
    output: CreateOutput,
    effect: "findable",
    unique: true,
    creates: "address-set-entry",
    undo: {
      call: "address-set-entry.delete:1",
      with: {
        family: "${ .output.family }",
        table: "${ .output.table }",
        set: "${ .output.set }",
        value: "${ .output.value }",
        token: "${ .output.token }",
      },
    },
    run: async (given, attempt) => {
      const nft = new Nft(environment, attempt);
      const { wanted, present, output } = await plannedEntry(nft, given, attempt);
      if (isDeepStrictEqual(present, wanted)) return output;
      // An earlier attempt has made it of an input that was corrected since: it goes in the same transaction.
      const before = present === undefined ? [] : [{ delete: { element: elementOf(bareOf(present)) } }];
      const end = await nft.transaction([...before, { create: { element: elementOf(wanted) } }]);
      if (end === "done") return output;
      if (end !== PRESENT) throw nft.refusal(`The set ${wanted.set} has been deleted meanwhile.`);
      // Somebody was faster, perhaps an earlier attempt: who, shows its token. What covers it without being it has none.
      if ((await plannedEntry(nft, given, attempt)).present === undefined)
        throw nft.refusal(`The set ${wanted.set} holds a network that covers ${wanted.value} already, or a part of it.`);
      return output;
    },
    find: async (given, attempt) => {
      const { family, table, set, value } = parseInput(CreateInput, given);
      const place = { family, table, set, value: valueOf(value)?.text ?? value };
      const listed = await new Nft(environment, attempt).table(family, table);
      const entry = listed?.sets
        .filter(({ name }) => name === set)
        .flatMap(entriesOf)
        .find((each) => each.value === place.value);
      return entry?.token === attempt.token ? { ...place, token: attempt.token } : undefined;
    },
    preview: async (given, attempt) => {
      const { wanted, present, output } = await plannedEntry(new Nft(environment, attempt), given, attempt);
      if (present !== undefined) return { effects: [], output };
      return {
        effects: [{ kind: "create", resource: "address-set-entry", name: entryId(wanted), after: wanted, isReversible: true }],
        output,
      };
    },
  };

  /** Idempotent: what is gone is gone, and what it was is kept with the deletion, in one transaction, until the end is stored. */
  const remove: ConnectorFunction = {
    ...TIMES,
    title: "Delete an address from a set",
    input: DeleteInput,
    output: DeleteOutput,
    effect: "idempotent",
    deletes: "address-set-entry",
    undo: {
      call: "address-set-entry.restore:1",
      with: {
        family: "${ .output.family }",
        table: "${ .output.table }",
        set: "${ .output.set }",
        value: "${ .output.value }",
        before: "${ .output.before }",
      },
    },
    run: async (given, attempt) => {
      const nft = new Nft(environment, attempt);
      attempt.afterStored(async (end) => {
        if (end === "completed") await removeNote(new Nft(environment, attempt), attempt.token);
      });
      let end: TransactionEnd = "done";
      for (let tries = 1; tries <= TRIES_MAX; tries += 1) {
        const { place, entry } = await entryToDelete(nft, given);
        if (entry === undefined) {
          const note = await readNote(nft, attempt.token);
          // Kept by an earlier attempt, which read such an entry.
          return { ...place, before: note === undefined ? null : (note.before as Kept) };
        }
        // An earlier attempt has deleted one, and somebody has made another since: that one goes, too, and comes back with the undo.
        if (end === PRESENT) await removeNote(nft, attempt.token);
        const { timeoutSeconds, token, comment } = entry;
        const before = { timeoutSeconds, token, comment };
        end = await nft.transaction([...noteCommands(attempt.token, before), { delete: { element: elementOf(bareOf(entry)) } }]);
        if (end === "done") return { ...place, before };
      }
      throw nft.busy("Somebody adds and deletes the same address at the same time.");
    },
    preview: async (given, attempt) => {
      const { place, entry } = await entryToDelete(new Nft(environment, attempt), given);
      if (entry === undefined) return { effects: [], output: { ...place, before: null } };
      const { timeoutSeconds, token, comment } = entry;
      return {
        effects: [{ kind: "delete", resource: "address-set-entry", name: entryId(entry), before: entry, isReversible: true }],
        output: { ...place, before: { timeoutSeconds, token, comment } },
      };
    },
  };

  /** Idempotent: a desired state. */
  const restore: ConnectorFunction = {
    ...TIMES,
    title: "Put back an address that was deleted from a set",
    input: RestoreInput,
    output: z.strictObject(Placed),
    effect: "idempotent",
    changes: "address-set-entry",
    run: async (given, attempt) => {
      const input = parseInput(RestoreInput, given);
      const nft = new Nft(environment, attempt);
      const { place, entry } = await entryToDelete(nft, given);
      const { before } = input;
      if (before === null) return place;
      mustBeWhole(before, "The entry");
      const wanted: SetEntry = { ...place, ...before };
      if (entry !== undefined && !isDeepStrictEqual(entry, wanted))
        throw nft.refusal(`Somebody has added ${place.value} to the set ${place.set} since: it stays as it is.`);
      if (entry === undefined && (await nft.transaction([{ create: { element: elementOf(wanted) } }])) !== "done") {
        const { entry: now } = await entryToDelete(nft, given);
        if (!isDeepStrictEqual(now, wanted))
          throw nft.refusal(`${place.value} can't be put back: the set ${place.set} is gone, or covers it otherwise.`);
      }
      return place;
    },
    preview: async (given, attempt) => {
      const { place, entry } = await entryToDelete(new Nft(environment, attempt), given);
      const { before } = parseInput(RestoreInput, given);
      if (before === null || entry !== undefined) return { effects: [], output: place };
      return {
        effects: [
          { kind: "create", resource: "address-set-entry", name: entryId(place), after: { ...place, ...before }, isReversible: false },
        ],
        output: place,
      };
    },
  };

  const list: ConnectorFunction = {
    ...TIMES,
    title: "List the addresses of a set",
    input: ListInput,
    output: z.strictObject({ entries: z.array(SetEntry) }),
    effect: "read",
    run: async (given, attempt) => {
      const { family, table, set } = parseInput(ListInput, given);
      return { entries: [...entriesOf(await setOf(new Nft(environment, attempt), { family, table, set }))] };
    },
  };

  return {
    "address-set-entry.create:1": create,
    "address-set-entry.delete:1": remove,
    "address-set-entry.restore:1": restore,
    "address-set-entry.list:1": list,
  };
}

/** An entry as a deletion names it: by its value. */
function bareOf(entry: SetEntry): SetEntry {
  return { ...entry, token: null, comment: null, timeoutSeconds: null };
}

/** An entry as a transaction names it. */
function elementOf({ family, table, set, value, timeoutSeconds, token, comment }: SetEntry): JsonObject {
  const text = commentOf(token, comment);
  const elem = {
    val: valueOf(value)?.json ?? value,
    ...(timeoutSeconds === null ? {} : { timeout: timeoutSeconds }),
    ...(text === "" ? {} : { comment: text }),
  };
  return { family, table, name: set, elem: [{ elem }] };
}

/** @throws ConnectorError `validation`: there is no such set of addresses. */
async function setOf(
  nft: Nft,
  { family, table, set }: { readonly family: string; readonly table: string; readonly set: string },
): Promise<SetAnswer> {
  const found = (await tableOf(nft, family, table)).sets.find(({ name }) => name === set);
  if (found === undefined) throw nft.refusal(`The table ${family} ${table} has no set ${set}.`);
  if (familyOfSet(found) === undefined)
    throw nft.refusal(`The set ${set} does not hold single addresses (type ${JSON.stringify(found.type)}).`);
  return found;
}

async function plannedEntry(
  nft: Nft,
  given: JsonObject,
  attempt: Attempt,
): Promise<{ readonly wanted: SetEntry; readonly present: SetEntry | undefined; readonly output: z.infer<typeof CreateOutput> }> {
  const { family, table, set, value, timeoutSeconds = null, comment = null } = parseInput(CreateInput, given);
  const found = await setOf(nft, { family, table, set });
  const address = valueOf(value);
  if (address === undefined || address.family !== familyOfSet(found))
    throw nft.refusal(`The set ${set} holds IPv${familyOfSet(found)} addresses, and ${value} is none.`);
  if (address.isNetwork && !found.flags.includes("interval"))
    throw nft.refusal(`The set ${set} holds single addresses: a network needs one with the flag interval.`);
  if (timeoutSeconds !== null && !found.flags.includes("timeout"))
    throw nft.refusal(`The entries of the set ${set} stay until they are deleted: a time limit needs one with the flag timeout.`);
  if (found["auto-merge"])
    throw nft.refusal(`The set ${set} merges its entries (auto-merge), so none can be told from the next: take a set without it.`);
  const wanted: SetEntry = { family, table, set, value: address.text, timeoutSeconds, token: attempt.token, comment };
  const present = entriesOf(found).find((each) => each.value === address.text);
  if (present !== undefined && present.token !== attempt.token) {
    const whose = present.token === null ? "" : ` The call ${present.token} has.`;
    throw nft.refusal(`The set ${set} holds ${address.text} already, and this call has not added it.${whose} It stays as it is.`);
  }
  return { wanted, present, output: { family, table, set, value: address.text, token: attempt.token } };
}

/** The entry that the input means; undefined when it is not there. @throws ConnectorError `validation`: it is another call's. */
async function entryToDelete(
  nft: Nft,
  given: JsonObject,
): Promise<{
  readonly place: { readonly family: string; readonly table: string; readonly set: string; readonly value: string };
  readonly entry: SetEntry | undefined;
}> {
  const { before: _, ...input } = given;
  const { family, table, set, value, token } = parseInput(DeleteInput, input);
  const place = { family, table, set, value: valueOf(value)?.text ?? value };
  const listed = await nft.table(family, table);
  const entry = listed?.sets
    .filter(({ name }) => name === set)
    .flatMap(entriesOf)
    .find((each) => each.value === place.value);
  if (entry !== undefined && token !== undefined && entry.token !== token)
    throw nft.refusal(
      `${place.value} in the set ${set} is not the entry that the call made: somebody has added it anew since, so it stays.`,
    );
  return { place, entry };
}
