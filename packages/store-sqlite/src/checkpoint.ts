import type { Connection } from "./connection.ts";

/** Log pages (4 KiB) not yet written back that start a checkpoint: 8 MiB are written back in some ten milliseconds and keep the log small. */
export const CHECKPOINT_FRAMES = 2048;

export interface LogState {
  /** Pages in the log. */
  readonly frames: number;
  /** Pages of it that are in the database file already. When all are, the next commit starts the log file from its beginning again. */
  readonly written: number;
}

/** Writes the log back as far as it stands now. Blocks neither readers nor writers; what they add meanwhile stays in the log. */
export function checkpoint(connection: Connection): LogState {
  return stateOf(connection.sql("pragma wal_checkpoint(passive)").get());
}

/** Reads the log's state without writing anything: some microseconds. */
export function readLogState(connection: Connection): LogState {
  return stateOf(connection.sql("pragma wal_checkpoint(noop)").get());
}

function stateOf(row: Record<string, unknown> | undefined): LogState {
  return { frames: Number(row?.["log"] ?? 0), written: Number(row?.["checkpointed"] ?? 0) };
}
