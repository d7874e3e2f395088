import type { LinkedService } from "@tutti/host";
import { taskError } from "@tutti/model";
import { expect, test } from "vitest";
import { followRun } from "./follow.ts";
import { createStyle } from "./render/style.ts";
import type { RunView } from "./run-status.ts";
import type { Session } from "./session.ts";
import { buildRunView, buildTaskView, START_MS } from "./view-for-tests.ts";

const waiting = buildRunView({ status: "waiting", tasks: [buildTaskView(1, "bad", { status: "waiting", endedAtMs: undefined })] });
const failed = taskError("runtime", "no way", { instance: "/do/0/bad" });
const faulted = buildRunView({
  status: "faulted",
  endedAtMs: START_MS + 2_000,
  error: failed,
  tasks: [buildTaskView(1, "bad", { status: "failed", endedAtMs: undefined, error: failed })],
});

test.each([
  ["lines", false],
  ["a live tree", true],
])("the last of %s is the state that the command ends with", async (_, isTerminal) => {
  const { session, said } = sessionOf(isTerminal, [faulted]);
  expect(await followRun(session, waiting.runId, { until: "person", timeoutMs: undefined, mirrors: true })).toBe(1);
  expect(said()).toMatch(isTerminal ? /✗ bad/ : /\/do\/bad failed/);
  expect(said()).toContain("no way");
});

test("a look at the end that fails is told, not left out", async () => {
  const { session } = sessionOf(false, [new Error("the look failed"), faulted]);
  const following = followRun(session, waiting.runId, { until: "person", timeoutMs: undefined, mirrors: true });
  await expect(following).rejects.toThrow("the look failed");
});

/** A service that has shown the run waiting, then says that it is over; each look gives the next of `looks`. */
function sessionOf(isTerminal: boolean, looks: readonly (RunView | Error)[]): { readonly session: Session; readonly said: () => string } {
  let text = "";
  let looked = 0;
  const service: Partial<LinkedService> = {
    owner: { where: "elsewhere", pid: 1, drive: "all" } as LinkedService["owner"],
    waitFor: async () => ({ runId: waiting.runId, seq: 1 }) as Awaited<ReturnType<LinkedService["waitFor"]>>,
    show: async () => {
      const look = looks[looked++];
      if (look === undefined || look instanceof Error) throw look ?? new Error("looked once too often");
      return look;
    },
    watch: async function* (_runId, signal) {
      yield waiting;
      if (!signal.aborted) await new Promise<void>((resolve) => void signal.addEventListener("abort", () => resolve(), { once: true }));
    },
  };
  const session = {
    io: {
      isTerminal,
      size: () => ({ columns: 100, rows: 40 }),
      out: (more: string) => void (text += more),
      error: () => {},
      now: () => START_MS + 2_000,
      outputClosed: new AbortController().signal,
    },
    service,
    style: createStyle(false),
    isJson: false,
    interrupts: { signal: new AbortController().signal },
    tutti: "tutti",
  };
  return { session: session as unknown as Session, said: () => text };
}
