import { AppError } from "@tutti/model";
import type { RunRow } from "./store.ts";

/** Place in a list that is ordered by start time and id, newest first: rows added meanwhile never move it. */
export interface RunPlace {
  readonly startedAtMs: number;
  readonly runId: string;
}

/** The cursor after `row`. */
export function encodeCursor(row: RunPlace): string {
  return `${row.startedAtMs}.${row.runId}`;
}

/** @throws AppError `usage` when the text is no cursor of ours. */
export function decodeCursor(cursor: string): RunPlace {
  const match = /^(-?\d{1,16})\.(.+)$/.exec(cursor);
  if (match?.[1] === undefined || match[2] === undefined) {
    throw new AppError("usage", `The list cursor ${JSON.stringify(cursor)} is not one that a list has given out.`, {
      hint: "Start the list again without a cursor.",
    });
  }
  return { startedAtMs: Number(match[1]), runId: match[2] };
}

/** Newest first; the id decides between runs of the same millisecond. */
export function compareNewestFirst(left: RunPlace, right: RunPlace): number {
  if (left.startedAtMs !== right.startedAtMs) return right.startedAtMs - left.startedAtMs;
  return left.runId === right.runId ? 0 : left.runId < right.runId ? 1 : -1;
}

/** Cuts a list that was asked for one row more than `limit`. */
export function pageOf(rows: readonly RunRow[], limit: number): { readonly runs: readonly RunRow[]; readonly next: string | undefined } {
  const last = rows[limit - 1];
  return { runs: rows.slice(0, limit), next: rows.length > limit && last !== undefined ? encodeCursor(last) : undefined };
}
