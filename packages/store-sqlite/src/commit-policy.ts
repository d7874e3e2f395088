/** Where a transaction is carried out. `worker-when-ready` starts the worker and stays on the main thread until it is there. */
export type CommitPlace = "main" | "worker" | "worker-when-ready";

/** Up to here the sync costs the event loop less than the hop to another thread and back does. */
const MAIN_MEDIAN_MAX_MS = 0.5;
/**
 * Text of a batch that the main thread writes itself, some 40 steps. Measured: 200 steps cost it 1.4 ms of CPU, and 0.6 ms when they go to the
 * worker; one step costs 0.25 ms and 0.15 ms, and is acknowledged 0.2 ms later by the worker.
 */
const MAIN_SIZE_MAX = 16 * 1024;
const SAMPLES = 31;
/** The median moves slowly: sorting at every commit would be waste. */
const SAMPLES_PER_MEDIAN = 8;

export interface CommitPolicy {
  choose(size: number): CommitPlace;
  /** Tells how long a transaction took where it was carried out, without the way there. */
  record(size: number, durationMs: number): void;
}

/**
 * Commits on the main thread while the disk is fast and the batch small, else in the worker, so that a slow disk never holds the event loop.
 *
 * Goes by the running median of small transactions wherever they ran, so it finds back when the disk recovers.
 */
export function createCommitPolicy(): CommitPolicy {
  const durations: number[] = [];
  let next = 0;
  let median = 0;
  return {
    choose: (size) => (size <= MAIN_SIZE_MAX && median < MAIN_MEDIAN_MAX_MS ? "main" : "worker-when-ready"),
    record: (size, durationMs) => {
      if (size > MAIN_SIZE_MAX) return;
      durations[next % SAMPLES] = durationMs;
      next += 1;
      if (next % SAMPLES_PER_MEDIAN === 0) median = medianOf(durations);
    },
  };
}

function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
