import { HARMLESS } from "./bugs.ts";
import type { Hunt } from "./catch.ts";
import { runCases, runTests } from "./catch.ts";
import { withBug } from "./child.ts";
import { killLoop } from "./kill-loop.ts";
import { runSeeds, type SeedRange } from "./run-seeds.ts";

/** Kills in which a sound process loses nothing. */
const KILLS = 5;
const KILL_SEED = 2;
const SEEDS_LIMIT_MS = 1_200_000;

/** What a control has come to; `wrong` says what it noticed although nothing was broken. */
export interface ControlResult {
  readonly name: string;
  readonly wrong: string | undefined;
}

/** What caught the bugs, once more with a change that breaks nothing: whoever cries at that has proved nothing. */
export function controlsFor(hunts: readonly Hunt[]): readonly (() => Promise<ControlResult>)[] {
  const caught = hunts.filter((one) => one.caught !== undefined);
  const controls: (() => Promise<ControlResult>)[] = [];
  const ranges = rangesOf(caught);
  if (ranges.length > 0) controls.push(() => sparesSeeds(ranges));
  const cases = new Set(caught.flatMap(({ bug: { catcher } }) => (catcher.by === "suite" ? catcher.cases : [])));
  if (cases.size > 0) controls.push(() => sparesCases([...cases]));
  const tests = caught.filter(({ bug }) => bug.catcher.by === "test").map(({ caught: found }) => (found?.by ?? "").split(" > "));
  if (tests.length > 0) controls.push(() => sparesTests(tests));
  if (caught.some(({ bug }) => bug.catcher.by === "kill loop")) controls.push(sparesKills);
  return controls;
}

/** Each seed that caught something, once. */
function rangesOf(caught: readonly Hunt[]): readonly SeedRange[] {
  const ranges = new Map<string, SeedRange>();
  for (const { bug, caught: found } of caught) {
    if (bug.catcher.by !== "simulation" || found?.seed === undefined) continue;
    const { faults } = bug.catcher;
    const range = { from: found.seed, to: found.seed, ...(faults === undefined ? {} : { faults }) };
    ranges.set(JSON.stringify(range), range);
  }
  return [...ranges.values()];
}

async function sparesSeeds(ranges: readonly SeedRange[]): Promise<ControlResult> {
  const run = await withBug(HARMLESS, (carrier) => runSeeds(carrier, ranges, SEEDS_LIMIT_MS));
  const name = `the ${ranges.length} seeds that caught bugs break no law by themselves`;
  if (!("found" in run)) return { name, wrong: run.tail };
  return { name, wrong: run.found === undefined ? undefined : `seed ${run.found.seed}: ${run.found.law}: ${run.found.message}` };
}

async function sparesCases(cases: readonly string[]): Promise<ControlResult> {
  const result = await withBug(HARMLESS, (carrier) => runCases(cases, carrier));
  const name = "the suite's cases pass by themselves";
  if (!("failures" in result)) return { name, wrong: result.tail };
  return { name, wrong: result.failures.length === 0 ? undefined : result.failures.join("\n") };
}

/** Each test as its file and the names of its groups, its own name last. */
async function sparesTests(tests: readonly (readonly string[])[]): Promise<ControlResult> {
  const files = new Set(tests.map(([file = ""]) => file));
  const names = new Set(tests.map((path) => path.at(-1) ?? ""));
  const report = await withBug(HARMLESS, (carrier) => runTests([...files], [...names], carrier));
  const name = `the ${names.size} tests that caught bugs pass by themselves`;
  if (!("failures" in report)) return { name, wrong: report.tail };
  const told = report.failures.map((failure) => `${failure.name}: ${failure.message}`).join("\n");
  return { name, wrong: told === "" ? undefined : told };
}

async function sparesKills(): Promise<ControlResult> {
  const { found } = await withBug(HARMLESS, (carrier) => killLoop(carrier, KILLS, KILL_SEED));
  return { name: `${KILLS} kills of a sound process lose nothing`, wrong: found.length === 0 ? undefined : found.join("\n") };
}
