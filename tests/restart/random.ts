import { createRandom } from "@tutti/testkit";
import { compare } from "../conformance/suite-runner/judge.ts";
import { type Observed, play } from "../conformance/suite-runner/play.ts";
import { CONTROL_PATH, RESTART_PATHS, type RestartPath } from "./paths.ts";
import { randomCase } from "./random-case.ts";

/** What became of one random workflow on all paths. */
export interface RandomResult {
  readonly seed: number;
  readonly isDetermined: boolean;
  /** Deaths and restarts. */
  readonly deaths: number;
  /** Plays in which the process died at least once. */
  readonly disturbed: number;
  /** What did not hold, one line each. */
  readonly violations: readonly string[];
}

/** Plays the workflow undisturbed and on each path, and says what a restart has changed that it may not. */
export async function tryWorkflow(seed: number): Promise<RandomResult> {
  const { one, isDetermined } = randomCase(seed);
  const undisturbed = await play(one, "memory", () => false);
  const violations = lawsOf(undisturbed).map((law) => `undisturbed: ${law}`);
  let deaths = 0;
  let disturbed = 0;
  for (const path of RESTART_PATHS) {
    const seen = await onPath(seed, path);
    deaths += seen.deaths;
    if (seen.deaths > 0) disturbed += 1;
    const found = [...lawsOf(seen), ...(isDetermined ? compare(undisturbed, seen) : [])];
    violations.push(...found.map((what) => `${path.name}: ${what}`));
  }
  return { seed, isDetermined, deaths, disturbed, violations };
}

/** Whether the saboteur is caught with this workflow. */
export async function controlIsCaught(seed: number): Promise<boolean> {
  const { one, isDetermined } = randomCase(seed);
  if (!isDetermined) return false;
  const undisturbed = await play(one, "memory", () => false);
  try {
    const seen = await onPath(seed, CONTROL_PATH);
    return [...lawsOf(seen), ...compare(undisturbed, seen)].length > 0;
  } catch {
    // What comes back so often from the past does not come to an end.
    return true;
  }
}

function onPath(seed: number, path: RestartPath): Promise<Observed> {
  const { one } = randomCase(seed);
  return play(one, path.ground(), path.plan(createRandom(`${path.name} ${seed}`)), path.options);
}

/** What must hold of every play: nothing went wrong beside the runs, nothing is quarantined or goes on for ever, no effect came twice. */
function lawsOf(seen: Observed): readonly string[] {
  const found: string[] = [...seen.problems];
  if (seen.runs.size === 0) found.push(`there is no run: ${[...seen.refusedBy, seen.startRefused ?? ""].join(" ")}`);
  for (const [name, { status }] of seen.runs) if (status === "running" || status === "quarantined") found.push(`${name} ends ${status}`);
  const effects = new Map<string, number>();
  for (const { what, token, hasEffect } of seen.deliveries)
    if (what.kind === "function" && what.name === "echo.send" && hasEffect) effects.set(token, (effects.get(token) ?? 0) + 1);
  for (const [token, count] of effects) if (count > 1) found.push(`the effect ${token} came ${count} times`);
  return found;
}
