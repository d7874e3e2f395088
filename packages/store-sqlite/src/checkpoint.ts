import { closeSync, fstatSync, openSync, statfsSync, writeSync } from "node:fs";
import type { Connection } from "./connection.ts";

/** Log pages (4 KiB) not yet written back that start a checkpoint: 8 MiB are written back in some ten milliseconds and keep the log small. */
export const CHECKPOINT_FRAMES = 2048;

/** A checkpoint after every commit would double the syncs. */
const CHECKPOINT_FRAMES_MIN = 64;

export interface LogState {
  /** Pages in the log. */
  readonly frames: number;
  /** Pages of it that are in the database file already. When all are, the next commit starts the log file from its beginning again. */
  readonly written: number;
}

/** A frame of the log: a page and its header. */
const FRAME_BYTES = 4096 + 24;
/** Commits go on while a checkpoint runs, so the log grows somewhat past its threshold. */
const LOG_BYTES = (CHECKPOINT_FRAMES + CHECKPOINT_FRAMES / 4) * FRAME_BYTES;

/** On a small or nearly full disk space is worth more than speed: the log grows as it needs to. */
const FREE_SPACE_FACTOR = 16;

/**
 * Fills the log file with zeros up to the size it will need. A sync of a file that does not grow writes no metadata: measured 0.28 ms instead of
 * 0.38 ms per commit. SQLite reads a log up to the first frame without the present salt, so zeros end it.
 *
 * Only before the first commit of a process that owns the directory: nobody else may be writing to the file.
 */
export function growLog(databasePath: string): void {
  const disk = statfsSync(databasePath);
  if (disk.bavail * disk.bsize < LOG_BYTES * FREE_SPACE_FACTOR) return;
  const file = openSync(`${databasePath}-wal`, "r+");
  try {
    const { size } = fstatSync(file);
    if (size < LOG_BYTES) writeSync(file, Buffer.alloc(LOG_BYTES - size), 0, LOG_BYTES - size, size);
  } finally {
    closeSync(file);
  }
}

/**
 * Log pages that start a checkpoint on this disk: on one with little room fewer, since a log that has taken the last of it could not be written
 * back any more, and nothing would ever free it.
 */
export function checkpointFrames(databasePath: string): number {
  const disk = statfsSync(databasePath);
  const share = Math.floor((disk.bavail * disk.bsize) / FREE_SPACE_FACTOR / FRAME_BYTES);
  return Math.min(CHECKPOINT_FRAMES, Math.max(CHECKPOINT_FRAMES_MIN, share));
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
