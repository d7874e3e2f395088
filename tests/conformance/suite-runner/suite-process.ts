// node suite-process.ts SHARD SHARDS STORE[,STORE] [CASE…]
//
// Plays the cases of one shard and writes what became of them as JSON. A process of its own, so that two processors work at the same time.
import type { Expect } from "./case-format.ts";
import { readSuite, type SuiteCase } from "./case-file.ts";
import { checkDocuments } from "./documents.ts";
import { compare, judge } from "./judge.ts";
import { alterations } from "./alter.ts";
import { type Observed, play, type StoreKind } from "./play.ts";
import { everyPosition } from "../../restart/positions.ts";
import type { ConformanceResult } from "../result.ts";

/** A difference is told in full up to here; more of it is in the case. */
const PROBLEM_LENGTH_MAX = 1200;

const [shard = "0", shards = "1", storeList = "", ...wanted] = process.argv.slice(2);
// Our own caller names them.
const stores = storeList.split(",") as readonly StoreKind[];
process.stdout.write(JSON.stringify(await main(Number(shard), Number(shards), wanted)));
// Watchers of requests that a dead process had sent would keep this one for half a minute.
process.exit(0);

async function main(index: number, count: number, ids: readonly string[]): Promise<ConformanceResult> {
  const all = readSuite();
  const chosen =
    ids.length === 0
      ? all
      : all.filter((one) => ids.some((id) => one.id === id || one.id.startsWith(`${id}/`) || one.id.startsWith(`${id}:`)));
  const mine = chosen.filter((_, position) => position % count === index);
  const failures: string[] = [];
  const notes: string[] = [];
  let deaths = 0;
  for (const one of mine) {
    const startedMs = performance.now();
    const { problems, deaths: died } = await examine(one);
    deaths += died;
    const elapsedMs = performance.now() - startedMs;
    if (problems.length > 0) failures.push(tell(one, problems));
    notes.push(`${one.id}: ${Math.round(elapsedMs)} ms, ${died} deaths`);
  }
  notes.push(`${deaths} deaths and restarts`);
  return { passed: mine.length - failures.length, total: mine.length, failures, notes };
}

/** Undisturbed and with a death at every position, on both stores. */
async function examine(one: SuiteCase): Promise<{ readonly problems: readonly string[]; readonly deaths: number }> {
  const problems: string[] = [...checkDocuments(one)];
  let deaths = 0;
  try {
    for (const kind of stores) {
      const undisturbed = await play(one, kind, () => false);
      const found = judge(one.expect, undisturbed, { disturbed: false });
      problems.push(...found.map((problem) => `${kind}: ${problem}`));
      if (found.length > 0) break;
      if (kind === stores[0]) problems.push(...blindSpots(one.expect, undisturbed));
      if (undisturbed.runs.size === 0) break;
      const walk = everyPosition();
      const walked = await play(one, kind, walk.plan);
      deaths += walked.deaths;
      if (walked.deaths === 0) problems.push(`${kind}: the process died nowhere`);
      const { afterRestart } = one.scene;
      const differences =
        afterRestart === undefined
          ? [...judge(one.expect, walked, { disturbed: true }), ...compare(undisturbed, walked)]
          : judge(afterRestart, walked, { disturbed: true });
      problems.push(...differences.map((problem) => `${kind}, restarted at every step: ${problem}`));
    }
  } catch (error) {
    problems.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
  return { problems, deaths };
}

/** An expectation that is altered must not hold any more: else the case says nothing. */
function blindSpots(expect: Expect, seen: Observed): readonly string[] {
  return alterations(expect).flatMap(({ what, altered }) =>
    judge(altered, seen, { disturbed: false }).length > 0 ? [] : [`the case also passes with another ${what}`],
  );
}

function tell(one: SuiteCase, problems: readonly string[]): string {
  const shown = problems.map((problem) => (problem.length > PROBLEM_LENGTH_MAX ? `${problem.slice(0, PROBLEM_LENGTH_MAX)}…` : problem));
  return `${one.place} ${one.id}: ${one.shows}\n    ${shown.join("\n    ")}\n    npm run conformance -- suite --case '${one.id}'`;
}
