import { AppError, type ErrorSpecies } from "@tutti/model";
import type { RunStatus } from "./run-status.ts";

/** Exit codes of every command; part of the interface for scripts. */
export const EXIT = {
  ok: 0,
  /** The command did what it was asked, and the run it waited for did not complete. */
  runFailed: 1,
  usage: 2,
  refused: 3,
  unreachable: 4,
  timedOut: 5,
  /** A bug of ours; sysexits' EX_SOFTWARE, so that no script takes it for a failed run. */
  bug: 70,
  /** 128 + SIGINT, as shells expect it. */
  interrupted: 130,
} as const;

/** The one table from what can go wrong to the exit code. */
export const EXIT_BY_SPECIES: Readonly<Record<ErrorSpecies, number>> = {
  usage: EXIT.usage,
  "not-found": EXIT.usage,
  conflict: EXIT.refused,
  refused: EXIT.refused,
  unreachable: EXIT.unreachable,
  // The store is there and cannot do its work: the same to a script as not reaching it.
  exhausted: EXIT.unreachable,
  damaged: EXIT.unreachable,
  "timed-out": EXIT.timedOut,
  internal: EXIT.bug,
};

/** The exit code for what a command threw. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof AppError) return EXIT_BY_SPECIES[error.kind];
  return EXIT.bug;
}

/** The exit code of a command that waited for a run to come to rest. */
export function exitCodeOfRun(status: RunStatus): number {
  return status === "completed" ? EXIT.ok : EXIT.runFailed;
}
