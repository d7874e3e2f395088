import type { StoreReport } from "@tutti/store";
import type { Connection } from "./connection.ts";
import { definitionOf } from "./definitions.ts";
import { eventOf } from "./events.ts";
import { NO_RUN_KEY } from "./feed.ts";
import { loadHistory } from "./load-run.ts";
import { messageOf } from "./messages.ts";
import { providerOf } from "./providers.ts";
import { scheduleOf } from "./schedules.ts";

/** Rows read at once: a check must not need memory for the whole store. */
const PAGE = 500;
/** SQLite lists at most this many faults of the file; more tell nothing new. */
const FILE_FAULTS_MAX = 20;

type Damage = StoreReport["damage"][number];

/** Reads everything that is stored: the file's structure and indexes by SQLite, every row's checksum by us. Blocks its thread: for a worker. */
export function checkStore(connection: Connection): StoreReport {
  const damage: Damage[] = [...checkFile(connection)];
  const runs = checkRuns(connection);
  damage.push(...runs.damage);
  damage.push(...checkRows(connection, "event", "position", eventOf));
  damage.push(...checkRows(connection, "message", "position", messageOf));
  damage.push(...checkRows(connection, "definition", "rowid", definitionOf));
  damage.push(...checkRows(connection, "schedule", "schedule_key", scheduleOf));
  damage.push(...checkRows(connection, "provider", "provider_key", providerOf));
  const pages = connection.sql("select page_count * page_size as bytes from pragma_page_count(), pragma_page_size()").get();
  return { runs: runs.count, records: runs.records, bytes: Number(pages?.["bytes"] ?? 0), damage };
}

function checkFile(connection: Connection): readonly Damage[] {
  try {
    const rows = connection.database.prepare(`pragma integrity_check(${FILE_FAULTS_MAX})`).all();
    const faults = rows.map((row) => String(row["integrity_check"])).filter((text) => text !== "ok");
    return faults.map((fault) => ({ runId: undefined, what: `database file: ${fault}` }));
  } catch (error) {
    return [{ runId: undefined, what: `database file: ${messageIn(error)}` }];
  }
}

function checkRuns(connection: Connection): { readonly count: number; readonly records: number; readonly damage: readonly Damage[] } {
  const damage: Damage[] = [];
  let count = 0;
  let records = 0;
  let after = 0;
  for (;;) {
    const page = readPage(connection, "select run_key, run_id from run where run_key > ? order by run_key limit ?", after, damage);
    if (page.length === 0) break;
    for (const row of page) {
      const runId = String(row["run_id"]);
      count += 1;
      after = Number(row["run_key"]);
      try {
        const { row: run, records: found } = loadHistory(connection, runId, false);
        records += found.length;
        if (found.length === 0 || run.seq !== found.length)
          damage.push({ runId, what: `${run.seq} records are expected, ${found.length} are there` });
      } catch (error) {
        damage.push({ runId, what: messageIn(error) });
      }
    }
  }
  const orphans = connection
    .sql(
      `select count(*) as count from record where not exists (select 1 from run where run.run_key = record.run_key)
         and not exists (select 1 from condemned where condemned.run_key = record.run_key) and run_key <> ${NO_RUN_KEY}`,
    )
    .get();
  if (Number(orphans?.["count"]) > 0) damage.push({ runId: undefined, what: `${String(orphans?.["count"])} commits belong to no run` });
  damage.push(...checkPayloadUses(connection));
  return { count, records, damage };
}

/** A payload whose use is not noted would go with another run. */
function checkPayloadUses(connection: Connection): readonly Damage[] {
  const missing = connection.sql(
    `select distinct run.run_id as run_id from run join record using (run_key) join json_each(record.payload_places) as place
     where payload_places is not null and json_valid(payload_places) and not exists (
       select 1 from payload join payload_use using (payload_key)
       where payload.hash = json_extract(place.value, '$[2]') and payload_use.run_key = run.run_key)
     limit ?`,
  );
  try {
    return missing.all(PAGE).map((row) => ({ runId: String(row["run_id"]), what: "a payload of the run is not noted as used by it" }));
  } catch (error) {
    return [{ runId: undefined, what: messageIn(error) }];
  }
}

/** Looks at every row of a table in pages by its integer key. */
function checkRows(
  connection: Connection,
  table: "event" | "message" | "definition" | "schedule" | "provider",
  key: string,
  decode: (row: Record<string, unknown>) => unknown,
): readonly Damage[] {
  const damage: Damage[] = [];
  let after = 0;
  for (;;) {
    const page = readPage(connection, `select ${key} as page_key, * from ${table} where ${key} > ? order by ${key} limit ?`, after, damage);
    if (page.length === 0) return damage;
    for (const row of page) {
      after = Number(row["page_key"]);
      try {
        decode(row);
      } catch (error) {
        damage.push({ runId: undefined, what: messageIn(error) });
      }
    }
  }
}

/** A page that SQLite cannot read is damage as well, and the end of what can be looked at. */
function readPage(connection: Connection, text: string, after: number, damage: Damage[]): readonly Record<string, unknown>[] {
  try {
    return connection.sql(text).all(after, PAGE);
  } catch (error) {
    damage.push({ runId: undefined, what: messageIn(error) });
    return [];
  }
}

function messageIn(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
