import { simulate, type SimulationOptions, type SimulationResult } from "./simulation.ts";

/** Shrinking ends then: a violation that is nearly small is better than none. */
const BUDGET_MS = 60_000;
const TASKS_MAX = 200;

/** A simulation that still breaks the same law, with nothing left that could be left out. */
export interface Shrunk {
  readonly options: SimulationOptions;
  readonly result: SimulationResult;
  readonly tries: number;
}

/** Leaves out runs, kinds of faults, events and tasks as long as the same law is broken. */
export async function shrink(failed: SimulationResult, budgetMs = BUDGET_MS): Promise<Shrunk> {
  const untilMs = performance.now() + budgetMs;
  let best: SimulationOptions = { seed: failed.seed, mode: failed.mode, nodes: failed.nodes, faults: failed.kinds };
  let result = failed;
  let tries = 0;
  const smaller = async (options: SimulationOptions): Promise<boolean> => {
    if (performance.now() > untilMs) return false;
    tries += 1;
    let found: SimulationResult;
    try {
      found = await simulate(options);
    } catch {
      // Without the task that was left out it is no workflow any more.
      return false;
    }
    if (found.violation?.law !== failed.violation?.law) return false;
    best = options;
    result = found;
    return true;
  };
  const reduce = (more: NonNullable<SimulationOptions["reductions"]>): SimulationOptions => ({
    ...best,
    reductions: { ...best.reductions, ...more },
  });
  await without(
    Array.from({ length: failed.planned.runs }, (_, index) => index),
    (runs) => smaller(reduce({ runs })),
  );
  await without(failed.kinds, (faults) => smaller({ ...best, faults }));
  for (let events = 0; events < failed.planned.events; events = events * 2 + 1) if (await smaller(reduce({ events }))) break;
  for (let task = 0, misses = 0; task < TASKS_MAX && misses < failed.planned.tasks;) {
    if (await smaller(reduce({ drop: [...(best.reductions?.drop ?? []), task] }))) continue;
    task += 1;
    misses += 1;
  }
  return { options: best, result, tries };
}

/** Leaves out as much of `items` as `isEnough` allows: large pieces first, then single ones. */
async function without<T>(items: readonly T[], isEnough: (left: readonly T[]) => Promise<boolean>): Promise<void> {
  let left = items;
  for (let size = Math.ceil(left.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let start = 0; start < left.length;) {
      const fewer = [...left.slice(0, start), ...left.slice(start + size)];
      if (await isEnough(fewer)) left = fewer;
      else start += size;
    }
  }
}

/** The command that repeats it. */
export function commandOf({ seed, mode, nodes, faults, reductions = {} }: SimulationOptions): string {
  const parts = [`npm run test:sim -- --seed ${seed}`];
  if (mode !== undefined) parts.push(`--mode ${mode}`);
  if (nodes !== undefined) parts.push(`--nodes ${nodes}`);
  if (faults !== undefined) parts.push(`--faults ${faults.join(",") || "none"}`);
  if (reductions.runs !== undefined) parts.push(`--runs ${reductions.runs.join(",") || "none"}`);
  if (reductions.events !== undefined) parts.push(`--events ${reductions.events}`);
  if (reductions.drop !== undefined && reductions.drop.length > 0) parts.push(`--drop ${reductions.drop.join(",")}`);
  return parts.join(" ");
}
