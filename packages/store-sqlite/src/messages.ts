import { AppError, type Json } from "@tutti/model";
import type { RunMessage } from "@tutti/store";
import { rowChecksum } from "./checksum.ts";
import type { Connection } from "./connection.ts";

/** Writes a message for a run; it stays until a commit of that run takes it. */
export function writeMessage(connection: Connection, toRunId: string, body: Json): RunMessage {
  const text = JSON.stringify(body);
  const { lastInsertRowid } = connection
    .sql("insert into message (to_run_id, body, crc) values (?, ?, ?)")
    .run(toRunId, text, rowChecksum([toRunId, text]));
  return { position: Number(lastInsertRowid), toRunId, body };
}

export function readMessages(connection: Connection, afterPosition: number, limit: number): readonly RunMessage[] {
  return connection
    .sql("select position, to_run_id, body, crc from message where position > ? order by position limit ?")
    .all(afterPosition, limit)
    .map(messageOf);
}

/** @throws AppError `store-damaged` when the row does not match its checksum. */
export function messageOf(row: Record<string, unknown>): RunMessage {
  const toRunId = String(row["to_run_id"]);
  const text = String(row["body"]);
  if (rowChecksum([toRunId, text]) !== row["crc"]) {
    throw new AppError("store-damaged", `The message ${String(row["position"])} for run ${toRunId} does not match its checksum.`, {
      details: { runId: toRunId },
    });
  }
  // The text was made from Json, and the checksum says that it still is the same.
  return { position: Number(row["position"]), toRunId, body: JSON.parse(text) as Json };
}
