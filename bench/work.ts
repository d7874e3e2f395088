/**
 * The work of the engine benchmark, the same for Tutti and its peers: runs of sequential steps that each keep their result, one run at a time,
 * and runs of parallel steps. Imports nothing, since peers run in folders of their own.
 */
export interface Work {
  readonly runs: number;
  readonly steps: number;
  readonly inFlight: number;
  readonly warmUpRuns: number;
  readonly aloneRuns: number;
  readonly fanOut: readonly number[];
  readonly fanOutRounds: number;
}

/** Both resolve when the end of the run is durable. */
export interface Engine {
  sequence(key: string): Promise<unknown>;
  fanOut(width: number, key: string): Promise<unknown>;
}

export interface WorkFigures {
  readonly runsPerSecond: number;
  readonly stepsPerSecond: number;
  /** The same work once more in the same process: by then what runs often is compiled. */
  readonly againStepsPerSecond: number;
  readonly alone: { readonly runs: number; readonly p50Ms: number; readonly p99Ms: number };
  readonly fanOut: readonly { readonly width: number; readonly medianMs: number }[];
}

export const WORK: Work = { runs: 2000, steps: 10, inFlight: 200, warmUpRuns: 100, aloneRuns: 200, fanOut: [1000], fanOutRounds: 3 };

export async function measure(engine: Engine, work: Work): Promise<WorkFigures> {
  await many(engine, work.warmUpRuns, work.inFlight, "warm");
  const seconds = (await timed(() => many(engine, work.runs, work.inFlight, "many"))) / 1000;
  const againSeconds = (await timed(() => many(engine, work.runs, work.inFlight, "again"))) / 1000;
  const alone: number[] = [];
  for (let run = 0; run < work.aloneRuns; run++) alone.push(await timed(() => engine.sequence(`alone-${run}`)));
  const fanOut: { width: number; medianMs: number }[] = [];
  for (const width of work.fanOut) {
    const times: number[] = [];
    for (let round = 0; round < work.fanOutRounds; round++) times.push(await timed(() => engine.fanOut(width, `wide-${width}-${round}`)));
    fanOut.push({ width, medianMs: percentile(times, 50) });
  }
  return {
    runsPerSecond: work.runs / seconds,
    stepsPerSecond: (work.runs * work.steps) / seconds,
    againStepsPerSecond: (work.runs * work.steps) / againSeconds,
    alone: { runs: work.aloneRuns, p50Ms: percentile(alone, 50), p99Ms: percentile(alone, 99) },
    fanOut,
  };
}

/** `runs` sequences, at most `inFlight` at a time. */
export async function many(engine: Pick<Engine, "sequence">, runs: number, inFlight: number, prefix: string): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < runs) await engine.sequence(`${prefix}-${next++}`);
  };
  await Promise.all(Array.from({ length: Math.min(inFlight, runs) }, lane));
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

/** The smallest value that at least `percent` of all do not exceed. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.ceil((percent / 100) * sorted.length) - 1)] ?? Number.NaN;
}
