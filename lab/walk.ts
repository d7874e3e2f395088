import { existsSync, readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { say } from "./commands.ts";
import type { Tutti } from "./tutti.ts";

export interface WalkOptions {
  readonly workflowFile: string;
  readonly inputFile: string;
  /** The process adds each position here before it dies at it. */
  readonly positionsFile: string;
}

export interface WalkResult {
  readonly runId: string;
  readonly kills: number;
  readonly positions: readonly string[];
  readonly status: string;
  /** What the run says about itself when it did not complete. */
  readonly why: string;
}

/** How long a process may go on without dying before it is asked how the run is doing: most positions come within a second. */
const LOOK_EVERY_MS = 2000;
/** A deployment has about 120 positions of a second or two each, and a server boots in between; an emulated one, on a busy machine, slowly. */
const WALK_LIMIT_MS = 1_800_000;
/** States in which a run goes on by itself. */
const MOVING = new Set(["running", "waiting"]);

/**
 * Starts a run and lets its process be killed once at each position of the journal, as it is first reached, taken up by a new `tutti up`
 * each time, until the run is at rest.
 */
export async function walk(tutti: Tutti, options: WalkOptions): Promise<WalkResult> {
  const environment = { TUTTI_CRASH_ONCE: options.positionsFile };
  const giveUpAtMs = performance.now() + WALK_LIMIT_MS;
  const started = await tutti.run(["run", "start", options.workflowFile, "-f", options.inputFile], { environment });
  if (started.signal !== "SIGKILL")
    throw new Error(`the first process was not killed: ${started.code ?? started.signal} ${started.stderr.trim()}`);
  let kills = 1;
  let known = tell(options.positionsFile, 0, kills);
  // The first position is the start of the run, and each begins with the run's id.
  const runId = readPositions(options.positionsFile)[0]?.split(" ")[0] ?? "";
  while (true) {
    if (performance.now() > giveUpAtMs) throw new Error(`the walk took longer than ${WALK_LIMIT_MS / 1000} s`);
    const up = tutti.spawn(["up"], { environment });
    const ended = await endOrRest(tutti, up.ended, runId);
    if (ended !== undefined && "rest" in ended) {
      up.child.kill("SIGTERM");
      const last = await up.ended;
      // It may have died of a last position while it was asked.
      if (last.signal !== "SIGKILL") return { runId, kills, positions: readPositions(options.positionsFile), ...ended.rest };
    } else if (ended.died.signal !== "SIGKILL") {
      throw new Error(`tutti up ended with ${ended.died.code ?? ended.died.signal}: ${ended.died.stderr.trim()}`);
    }
    kills++;
    known = tell(options.positionsFile, known, kills);
  }
}

type Died = Awaited<ReturnType<Tutti["run"]>>;
type Rest = { readonly status: string; readonly why: string };

/** Waits until the process dies, or the run is at rest or needs a person. */
async function endOrRest(tutti: Tutti, died: Promise<Died>, runId: string): Promise<{ readonly died: Died } | { readonly rest: Rest }> {
  const death = died.then((result) => ({ died: result }));
  while (true) {
    const first = await Promise.race([death, pause(LOOK_EVERY_MS, "look" as const)]);
    if (first !== "look") return first;
    const shown = await tutti.run(["run", "show", runId, "--json"]);
    // Not reached: it is dying, or not yet there.
    if (shown.code !== 0) continue;
    const run = JSON.parse(shown.stdout) as { status: string; error: unknown; waits: { kind: string; path: string; reason: string }[] };
    const person = run.waits.find((wait) => wait.kind === "settle" || wait.kind === "operator");
    if (!MOVING.has(run.status) || person !== undefined) return { rest: { status: run.status, why: JSON.stringify(person ?? run.error) } };
  }
}

function readPositions(file: string): string[] {
  return existsSync(file)
    ? readFileSync(file, "utf8")
        .split("\n")
        .filter((line) => line !== "" && !line.startsWith("#"))
    : [];
}

/** Prints the positions that were added, and says how many there are now. */
function tell(file: string, known: number, kills: number): number {
  const positions = readPositions(file);
  say(
    `kill ${kills} at position ${positions.length}: ${positions
      .slice(known)
      .map((each) => each.split(" ").slice(1).join(" "))
      .join(" + ")}`,
  );
  return positions.length;
}
