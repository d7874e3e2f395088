import type { FeedEntry } from "@tutti/store";
import type { Connection } from "./connection.ts";

/** The run of a row that only keeps the last position from being given again (`keepLastPosition`); runs have keys from 1 on. */
export const NO_RUN_KEY = 0;

/**
 * Rows of `record` are appended in the order of commits, so their keys are the positions. Reads the heads of rows only. Needs no index but the
 * key of the table.
 */
export function readFeed(connection: Connection, afterPosition: number, limit: number): readonly FeedEntry[] {
  return connection
    .sql(
      `select record_key, run_id, seq_first, seq_last from record left join run using (run_key)
       where record_key > ? and record.run_key <> ${NO_RUN_KEY} order by record_key limit ?`,
    )
    .all(afterPosition, limit)
    .map((row) => ({
      position: Number(row["record_key"]),
      runId: row["run_id"] === null ? undefined : String(row["run_id"]),
      seqFirst: Number(row["seq_first"]),
      seqLast: Number(row["seq_last"]),
    }));
}

export function feedEnd(connection: Connection): number {
  return Number(connection.sql("select max(record_key) as last from record").get()?.["last"] ?? 0);
}

/**
 * Deletes a row of `record`. SQLite gives the key after the greatest there is, so the last row becomes an empty one of no run instead: what reads
 * the feed would miss what is written under a key that it has passed. There is at most one such row beside those of the transaction.
 */
export function deleteRecordRow(connection: Connection, recordKey: number): void {
  if (recordKey < feedEnd(connection)) {
    connection.sql("delete from record where record_key = ?").run(recordKey);
    return;
  }
  connection.sql(`delete from record where run_key = ${NO_RUN_KEY}`).run();
  connection
    .sql(
      `update record set run_key = ${NO_RUN_KEY}, seq_first = 0, seq_last = 0, crc = 0, body = '', payload_places = null where record_key = ?`,
    )
    .run(recordKey);
}
