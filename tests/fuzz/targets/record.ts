import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { crc32 } from "node:zlib";
import { AppError, type Json } from "@tutti/model";
import { DATABASE_FILE, openSqliteStore, type SqliteStore } from "@tutti/store-sqlite";
import { encodeRecord, restoreText } from "@tutti/store";
import { commitOf, idOf } from "@tutti/store/fixtures";
import { json } from "../generate/json.ts";
import { mutateText } from "../generate/text.ts";
import { broken, type OpenTarget, type Target, type Verdict } from "../target.ts";

/** A change of one stored row behind the store's back. */
interface Input {
  readonly [key: string]: Json;
  readonly run: number;
  readonly column: string;
  readonly kind: string;
  readonly bit: number;
  readonly text: string;
  readonly data: Json;
  readonly limit: number;
}

const RUNS = 8;
const RECORDS = 3;
const COLUMNS = ["body", "body", "body", "crc", "seq_first", "seq_last", "payload_places", "payload", "payload_hash"];

export const record: Target<Input> = {
  name: "record",
  law: "a stored row that was changed is found or gives what was stored; a record that is cut into payloads is put together again",
  control: "the checksum of a changed row is made to fit",
  make: (random) => ({
    run: random.integer(1, RUNS),
    column: random.pick(COLUMNS),
    kind: random.pick(["bit", "bit", "text", "null", "zero"]),
    bit: random.integer(0, 100_000),
    text: mutateText('{"type":"fact","at":1}\n{"type":"fact"}', random, ["\n", '{"$payload":"', "}"]),
    data: json(random, { isNasty: true, depth: 4 }),
    limit: random.pick([0, 1, 5, 20, 100, 70]),
  }),
  open: async (isSabotaged) => open(isSabotaged),
};

async function open(isSabotaged: boolean): Promise<OpenTarget<Input>> {
  const directory = mkdtempSync(join(tmpdir(), "tutti-fuzz-"));
  const store = openSqliteStore({ directory });
  await store.start();
  const large = { type: "fact", at: 1, value: "x".repeat(300), more: { inner: ["y".repeat(200), 1] } };
  for (let run = 1; run <= RUNS; run++) {
    const commit = commitOf(run, 0, { count: RECORDS });
    const records = run % 2 === 0 ? commit.records : [...commit.records.slice(1), encodeRecord(large, 100)];
    await store.commit({ runs: [{ ...commit, records }] });
  }
  // A second connection that knows nothing of checksums; what it changes need not be on the disk.
  const raw = new DatabaseSync(join(directory, DATABASE_FILE));
  raw.exec("pragma synchronous = off; pragma foreign_keys = off; pragma busy_timeout = 10000");
  const expected = new Map<number, string>();
  for (let run = 1; run <= RUNS; run++) expected.set(run, await historyOf(store, run));
  return {
    check: async (input) =>
      checkCodec(input) ?? (await checkRow(input, { store, raw, expected: expected.get(input.run) ?? "", isSabotaged })),
    close: async () => {
      raw.close();
      await store.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function historyOf(store: SqliteStore, run: number): Promise<string> {
  const { records } = await store.loadRecords(idOf(run), { withSnapshot: false });
  return JSON.stringify(records);
}

interface Place {
  readonly store: SqliteStore;
  readonly raw: DatabaseSync;
  readonly expected: string;
  readonly isSabotaged: boolean;
}

async function checkRow(input: Input, { store, raw, expected, isSabotaged }: Place): Promise<Verdict> {
  if (!COLUMNS.includes(input.column)) return undefined;
  const isPayload = input.column.startsWith("payload") && input.column !== "payload_places";
  const [table, column] = isPayload ? ["payload", input.column === "payload" ? "body" : "hash"] : ["record", input.column];
  const where = isPayload ? "rowid = (select rowid from payload limit 1)" : "run_key = (select run_key from run where run_id = ?)";
  const names = isPayload ? [] : [idOf(input.run)];
  const row = raw.prepare(`select rowid as place, ${column} as value from ${table} where ${where}`).get(...names);
  if (row === undefined) return broken("a row is missing", table);
  const place = row["place"] as SQLInputValue;
  const before = row["value"] as SQLInputValue;
  const after = changed(input, before);
  try {
    raw.prepare(`update ${table} set ${column} = ? where rowid = ?`).run(after, place);
    if (isSabotaged && column === "body" && table === "record" && typeof after === "string") makeFit(raw, place, after);
  } catch {
    // The schema does not let such a value in.
    return undefined;
  }
  try {
    const found = await historyOf(store, input.run);
    return found === expected
      ? undefined
      : broken("damage is taken for data", `${column}: ${JSON.stringify(before)} → ${JSON.stringify(after)}\nread: ${found.slice(0, 500)}`);
  } catch (error) {
    if (!(error instanceof AppError && error.code === "store-damaged")) throw error;
    return undefined;
  } finally {
    raw.prepare(`update ${table} set ${column} = ? where rowid = ?`).run(before, place);
    if (isSabotaged && column === "body" && table === "record" && typeof before === "string") makeFit(raw, place, before);
  }
}

/** What nobody does by accident: the checksum of a row after its text was changed. */
function makeFit(raw: DatabaseSync, place: SQLInputValue, body: string): void {
  const row = raw.prepare("select run_key, seq_first, payload_places from record where rowid = ?").get(place);
  const seed = (Math.imul(Number(row?.["run_key"]), 0x9e37_79b1) ^ Number(row?.["seq_first"])) >>> 0;
  const places = row?.["payload_places"];
  const checksum = crc32(body, seed);
  raw.prepare("update record set crc = ? where rowid = ?").run(typeof places === "string" ? crc32(places, checksum) : checksum, place);
}

function changed({ kind, bit, text }: Input, value: SQLInputValue): SQLInputValue {
  if (kind === "null") return null;
  if (kind === "zero") return typeof value === "number" ? 0 : "";
  if (typeof value === "number") return kind === "bit" ? (value ^ (1 << (bit % 31))) >>> 0 : value + (bit % 5) - 2;
  if (kind === "text" || typeof value !== "string" || value === "") return text.toWellFormed();
  const bytes = Buffer.from(value, "utf8");
  const at = bit % bytes.length;
  bytes[at] = (bytes[at] ?? 0) ^ (1 << (bit % 8));
  return bytes.toString("utf8");
}

function checkCodec({ data, limit }: Input): Verdict {
  const whole = JSON.stringify({ type: "fact", at: 1, data });
  const encoded = encodeRecord({ type: "fact", at: 1, data } as { type: string; at: number }, limit);
  const payloads = encoded.payloads ?? [];
  const byHash = new Map(payloads.map((payload) => [payload.hash, payload.text]));
  const restored = restoreText(encoded.text, payloads, (hash) => byHash.get(hash) ?? "");
  return restored === whole ? undefined : broken("not put together again", `${encoded.text}\n${restored}`);
}
