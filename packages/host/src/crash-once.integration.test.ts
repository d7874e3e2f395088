import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { crashPointFrom } from "./crash-point.ts";

const intended = (attempt: number) => ({ seq: attempt, type: "attempt-intended", path: "/do/a", task: 3, attempt });
const ended = (outcome: string) => ({ seq: 9, type: "attempt-ended", task: 3, attempt: 1, outcome });

function walker(file: string): { readonly point: ReturnType<typeof crashPointFrom>; readonly deaths: () => number } {
  let deaths = 0;
  return { point: crashPointFrom({ TUTTI_CRASH_ONCE: file }, () => deaths++), deaths: () => deaths };
}

test("each position kills once, also over processes; another attempt of the same effect is no new position", () => {
  const file = join(mkdtempSync(join(tmpdir(), "crash-once-")), "positions");
  const first = walker(file);
  first.point("commit.after", { runId: "run_1", seq: 1, records: [intended(1)] });
  expect(first.deaths()).toBe(1);
  const second = walker(file);
  second.point("commit.after", { runId: "run_1", seq: 2, records: [intended(2)] });
  second.point("commit.before", { runs: 1 });
  expect(second.deaths()).toBe(0);
  second.point("attempt.after", { runId: "run_1", path: "/do/a", attempt: 2 });
  second.point("commit.after", { runId: "run_1", seq: 3, records: [ended("unknown")] });
  second.point("commit.after", { runId: "run_1", seq: 4, records: [ended("completed"), intended(2)] });
  expect(second.deaths()).toBe(3);
  expect(readFileSync(file, "utf8")).toBe(
    "# run_1 3=/do/a\nrun_1 attempt-intended /do/a\nrun_1 attempt.after /do/a\nrun_1 attempt-ended /do/a unknown\nrun_1 attempt-ended /do/a completed\n",
  );
});
