import { everyPosition } from "../../restart/positions.ts";
import { alterations } from "./alter.ts";
import type { SuiteCase } from "./case-file.ts";
import type { Expect } from "./case-format.ts";
import { checkDocuments } from "./documents.ts";
import { compare, judge } from "./judge.ts";
import type { StoreKind } from "./ground.ts";
import { type Observed, play } from "./play.ts";

/** A difference is told in full up to here; more of it is in the case. */
const PROBLEM_LENGTH_MAX = 1200;

/** Undisturbed and with a death at every position, on both stores. */
export async function examine(
  one: SuiteCase,
  stores: readonly StoreKind[],
): Promise<{ readonly problems: readonly string[]; readonly deaths: number }> {
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

export function tell(one: SuiteCase, problems: readonly string[], command: string): string {
  const shown = problems.map((problem) => (problem.length > PROBLEM_LENGTH_MAX ? `${problem.slice(0, PROBLEM_LENGTH_MAX)}…` : problem));
  return `${one.place} ${one.id}: ${one.shows}\n    ${shown.join("\n    ")}\n    ${command}`;
}
