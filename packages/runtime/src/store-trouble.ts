import { AppError } from "@tutti/model";

/** Pauses between tries while the store fails: short for a hiccup, long for a disk that somebody has to look after. */
const BACKOFF_MS = [0, 50, 200, 1000, 5000] as const;
const PERMANENT: ReadonlySet<string> = new Set(["not-found", "damaged", "usage", "refused", "conflict"]);

/** Trying again would not help. Everything else passes by, and whoever gives up on it leaves a run that nobody moves. */
export function isPermanent(failure: unknown): boolean {
  return failure instanceof AppError && PERMANENT.has(failure.kind);
}

/** How long to wait after the try of this number, counted from 0. */
export function pauseAfter(attempt: number): number {
  return BACKOFF_MS[Math.min(attempt, BACKOFF_MS.length - 1)] ?? 0;
}
