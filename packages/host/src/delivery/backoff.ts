import { setTimeout } from "node:timers/promises";

/** The first pause after a failure. */
const FIRST_PAUSE_MS = 1000;
/** What is named in `Retry-After` is believed up to here: a clock that is wrong must not silence anybody for a day. */
const ASKED_PAUSE_MAX_MS = 5 * 60_000;
/** Of each pause by chance, so that many senders do not come back in step. */
const JITTER = 0.2;

/** How long to wait after the `failures`-th failure in a row, from 1: doubling up to `maxMs`, or what the other side asked for. */
export function pauseAfterFailure(failures: number, maxMs: number, askedMs: number | undefined, chance: number = Math.random()): number {
  if (askedMs !== undefined) return Math.min(askedMs, ASKED_PAUSE_MAX_MS);
  const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** Math.min(failures - 1, 30), maxMs);
  return pauseMs * (1 - JITTER + 2 * JITTER * chance);
}

/** Resolves after the time or with the signal, whatever comes first. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await setTimeout(ms, undefined, { signal }).catch(() => undefined);
}
