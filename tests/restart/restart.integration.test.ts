import { describe, expect, it } from "vitest";
import { RESTART_CASES } from "./cases.ts";
import { everyPosition, nthTime } from "./positions.ts";
import { type Outcome, runCase, type StoreKind } from "./world.ts";

/** What must not differ; how often the process died may. */
const visible = ({ status, output, tasks, effects }: Outcome) => ({ status, output, tasks, effects });

/** Moments between commits: before an effect, after it, before and after somebody is told. */
const POINTS = ["commit.before", "attempt.before", "attempt.after", "acknowledge.before"];
/** How often each of them is tried: the first passes cover every task of these small workflows on the faster store. */
const PASSES: Readonly<Record<StoreKind, number>> = { memory: 4, sqlite: 1 };

describe.each(["memory", "sqlite"] as const)("restart is replay, on the %s store", (kind) => {
  describe.each(RESTART_CASES)("$name", (one) => {
    it("ends the same when the process dies once at every position of the journal, and at moments in between", async () => {
      const undisturbed = await runCase(one, kind, () => false);
      expect(undisturbed.status).toBe(one.ends);
      if (one.output !== undefined) expect(undisturbed.output).toEqual(one.output);
      const { plan, seen } = everyPosition();
      const walked = await runCase(one, kind, plan);
      expect(visible(walked)).toEqual(visible(undisturbed));
      expect(walked.deaths).toBe(seen.size);
      for (const point of POINTS)
        for (let nth = 1; nth <= PASSES[kind]; nth++) {
          const { plan: once, wasReached } = nthTime(point, nth);
          const disturbed = await runCase(one, kind, once);
          expect(visible(disturbed), `${point} ${nth}`).toEqual(visible(undisturbed));
          if (!wasReached()) break;
        }
    });
  });
});
