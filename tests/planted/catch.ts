import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readReport, type Report } from "../../scripts/check/report.ts";
import type { ConformanceResult } from "../conformance/result.ts";
import type { Bug, Catcher } from "./bug.ts";
import { ROOT } from "./carried.ts";
import { type Carrier, type Ended, REGISTER, runNode, withBug } from "./child.ts";
import { killLoop } from "./kill-loop.ts";
import { runSeeds } from "./run-seeds.ts";

/** What became of the hunt for one bug. */
export interface Hunt {
  readonly bug: Bug;
  /** What noticed it, after how much; undefined when nothing did. */
  readonly caught: { readonly by: string; readonly after: string; readonly seed?: number } | undefined;
  readonly seconds: number;
  /** Why it was not caught. */
  readonly why: string;
}

/** A hunt that takes longer hangs: a bug that only stops the clock is not caught. */
const LIMIT_MS = 1_200_000;
/** Chance of the kill loop. Kills come by the wall clock, so it repeats the intent and not the run. */
const KILL_SEED = 1;

/** Lets loose the test that is to notice the bug. */
export async function hunt(bug: Bug): Promise<Hunt> {
  return withBug(bug, async (carrier) => {
    const startedMs = performance.now();
    const found = await search(bug.catcher, carrier);
    const seconds = found.seconds ?? (performance.now() - startedMs) / 1000;
    const unloaded = carrier.unloaded();
    // An error while the bug was loaded would look like a catch.
    if (unloaded.length > 0) return { bug, caught: undefined, seconds, why: `no process has loaded ${unloaded.join(", ")}\n${found.why}` };
    return { bug, caught: found.caught, seconds, why: found.why };
  });
}

/** What a search has come to; `seconds` when it knows better than the clock how long the test itself took. */
interface Found {
  readonly caught: Hunt["caught"];
  readonly why: string;
  readonly seconds?: number;
}

function search(catcher: Catcher, carrier: Carrier): Promise<Found> {
  switch (catcher.by) {
    case "simulation":
      return searchSeeds(catcher, carrier);
    case "suite":
      return searchCases(catcher, carrier);
    case "test":
      return searchTests(catcher, carrier);
    case "kill loop":
      return searchKills(catcher, carrier);
  }
}

async function searchSeeds(catcher: Catcher & { readonly by: "simulation" }, carrier: Carrier): Promise<Found> {
  const { seedsMax, faults } = catcher;
  const run = await runSeeds(carrier, [{ from: 1, to: seedsMax, ...(faults === undefined ? {} : { faults }) }], LIMIT_MS);
  if (!("found" in run)) return missed(run);
  const { found, seconds } = run;
  if (found === undefined) return { caught: undefined, why: `no law was broken in ${seedsMax} seeds`, seconds };
  // A simulation that falls over has noticed nothing: whoever looks at it learns that it is broken, not what is.
  if (found.law === "unexpected error") return { caught: undefined, why: `seed ${found.seed} fell over: ${found.message}`, seconds };
  return { caught: { by: `simulation: ${found.law}`, after: counted(found.seed, "seed"), seed: found.seed }, why: "", seconds };
}

async function searchCases({ cases }: Catcher & { readonly by: "suite" }, carrier: Carrier): Promise<Found> {
  const result = await runCases(cases, carrier);
  if (!("failures" in result)) return missed(result);
  const [first] = result.failures;
  if (first === undefined) return { caught: undefined, why: `all ${result.passed} cases of ${cases.join(", ")} passed` };
  const id = /^\S+ (\S+):/.exec(first)?.[1] ?? first;
  return { caught: { by: `suite: ${id}`, after: counted(result.total, "case") }, why: "" };
}

/** The cases in memory, by the process that the suite itself uses. */
export async function runCases(cases: readonly string[], carrier: Carrier): Promise<ConformanceResult | Ended> {
  const script = join(ROOT, "tests/conformance/suite-runner/suite-process.ts");
  const args = ["--disable-warning=ExperimentalWarning", ...REGISTER, script, "0", "1", "memory", ...cases];
  const ended = await runNode(args, { environment: carrier.environment, limitMs: LIMIT_MS });
  if (ended.code !== 0 || !ended.stdout.startsWith("{")) return ended;
  // Written by the suite's own process.
  const result = JSON.parse(ended.stdout) as ConformanceResult;
  return result.total > 0 ? result : { ...ended, tail: `there is no case ${cases.join(", ")}` };
}

async function searchTests({ file, name }: Catcher & { readonly by: "test" }, carrier: Carrier): Promise<Found> {
  const report = await runTests([file], name === undefined ? [] : [name], carrier);
  if (!("failures" in report)) return missed(report);
  // A file that can't be loaded is named without a test; so is an error that belongs to none.
  const failed = report.failures.find((failure) => failure.name.includes(" > "));
  if (failed !== undefined) return { caught: { by: failed.name, after: "1 file" }, why: "" };
  const told = report.failures.map((failure) => `${failure.name}: ${failure.message}`).join("\n");
  return { caught: undefined, why: told === "" ? `all ${report.passed} tests passed` : told };
}

/** The tests of these files whose name contains one of `names`; all without any. */
export async function runTests(files: readonly string[], names: readonly string[], carrier: Carrier): Promise<Report | Ended> {
  const home = mkdtempSync(join(tmpdir(), "tutti-planted-report-"));
  try {
    const reportFile = join(home, "report.json");
    const vitest = join(ROOT, "node_modules/.bin/vitest");
    const pattern = names.map((name) => name.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`)).join("|");
    const filter = pattern === "" ? [] : ["--testNamePattern", pattern];
    const args = [vitest, "run", "--config", join(import.meta.dirname, "vitest.config.ts"), ...filter, ...files];
    const environment = { ...carrier.environment, TUTTI_REPORT: reportFile, NODE_OPTIONS: REGISTER.join(" ") };
    const ended = await runNode(args, { environment, limitMs: LIMIT_MS });
    const report = readReport(reportFile);
    return report === undefined || report.passed + report.failures.length === 0 ? ended : report;
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

async function searchKills({ killsMax }: Catcher & { readonly by: "kill loop" }, carrier: Carrier): Promise<Found> {
  const { kills, found, seconds } = await killLoop(carrier, killsMax, KILL_SEED);
  const [first] = found;
  if (first === undefined) return { caught: undefined, why: `nothing was lost or doubled in ${kills} kills`, seconds };
  return { caught: { by: `kill loop: ${first.replaceAll(/run_\w+/g, "a run")}`, after: counted(kills, "kill") }, why: "", seconds };
}

function missed(ended: Ended): Found {
  const how = ended.isOverdue ? `took longer than ${LIMIT_MS / 1000} s` : `ended with ${ended.code}`;
  return { caught: undefined, why: `the process ${how}\n${ended.tail}` };
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
