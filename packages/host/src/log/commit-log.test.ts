import { createMemoryStore } from "@tutti/store";
import { commitOf, rowOf } from "./commits-for-tests.ts";
import { expect, it } from "vitest";
import { CommitLog } from "./commit-log.ts";
import { EventLog } from "./event-log.ts";
import { LOG_EVENTS, LOG_FIELDS, type LogLevel } from "./log-catalogue.ts";

const CANARY = "canary-77";
const RUN = "run_0000000000000001";
const intended = {
  type: "attempt-intended",
  at: 5,
  task: 1,
  path: "/do/a",
  token: "t",
  attempt: 1,
  function: "x.do:1@x",
  effect: "unsafe",
};
const failed = {
  type: "attempt-ended",
  at: 6,
  task: 1,
  attempt: 1,
  outcome: { kind: "failed", began: true, retryable: false, error: { type: "https://x/communication", status: 500, title: CANARY } },
};
const completed = { type: "attempt-ended", at: 7, task: 1, attempt: 2, outcome: { kind: "completed", output: CANARY } };
const operated = { type: "operator", at: 8, actor: "ana", reason: CANARY, action: { kind: "skip", task: 1, output: CANARY } };

async function logOf(level: LogLevel, format: "json" | "text" = "json"): Promise<readonly string[]> {
  const lines: string[] = [];
  const store = createMemoryStore();
  await store.start();
  new CommitLog(new EventLog({ format, level, write: (line) => lines.push(line), nowMs: () => 0 })).observe(store);
  await store.commit({ runs: [commitOf(RUN, 0, [{ type: "run-started", at: 1, input: CANARY }, intended], rowOf("running"))] });
  await store.commit({ runs: [commitOf(RUN, 2, [failed, { ...intended, attempt: 2 }])] });
  await store.commit({ runs: [commitOf(RUN, 4, [completed, operated], rowOf("faulted"))] });
  // Not committed, so not told.
  await store.commit({ runs: [commitOf(RUN, 4, [operated])] });
  return lines;
}

it("tells what was committed, in the order in which it was, by names and codes alone", async () => {
  const lines = await logOf("info");
  const told = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  const traceId = told[0]?.["traceId"];
  expect(traceId).toMatch(/^[0-9a-f]{32}$/);
  const base = { runId: RUN, traceId };
  expect(told).toEqual([
    { at: "1970-01-01T00:00:00.001Z", level: "info", event: "run.started", ...base, workflow: "test/sample:1.0.0" },
    {
      at: "1970-01-01T00:00:00.009Z",
      level: "info",
      event: "run.changed",
      ...base,
      workflow: "test/sample:1.0.0",
      status: "running",
      inDoubt: 0,
    },
    {
      at: "1970-01-01T00:00:00.006Z",
      level: "warn",
      event: "attempt.failed",
      ...base,
      task: 1,
      attempt: 1,
      path: "/do/a",
      code: "https://x/communication",
    },
    { at: "1970-01-01T00:00:00.008Z", level: "info", event: "run.operated", ...base, task: 1, action: "skip", actor: "ana" },
    {
      at: "1970-01-01T00:00:00.009Z",
      level: "warn",
      event: "run.failed",
      ...base,
      workflow: "test/sample:1.0.0",
      status: "faulted",
      inDoubt: 0,
      code: "e",
    },
  ]);
  expect(lines.join("")).not.toContain(CANARY);
});

it("has more to say at debug, less at warn, and the same as text", async () => {
  const events = async (level: LogLevel): Promise<readonly string[]> =>
    (await logOf(level)).map((line) => (JSON.parse(line) as { readonly event: string }).event);
  expect(await events("warn")).toEqual(["attempt.failed", "run.failed"]);
  expect(await events("debug")).toContain("attempt.completed");
  expect((await logOf("debug")).join("")).not.toContain(CANARY);
  expect((await logOf("warn", "text"))[0]).toMatch(
    /^1970-01-01T00:00:00\.006Z WARN {2}attempt\.failed runId=run_0000000000000001 traceId=\w{32} task=1 attempt=1 path=\/do\/a code=https:\/\/x\/communication\n$/,
  );
});

it("keeps a line bounded and on one line, and has no member that is not documented", async () => {
  const lines: string[] = [];
  const log = new EventLog({ format: "text", level: "error", write: (line) => lines.push(line), nowMs: () => 0 });
  log.log("report", { message: `a\nb\u001b[31m${"x".repeat(10_000)}` });
  expect(lines).toHaveLength(1);
  expect(lines[0]?.length).toBeLessThan(700);
  expect(lines[0]?.indexOf("\n")).toBe((lines[0]?.length ?? 0) - 1);
  expect(lines[0]).not.toContain("\u001b");
  for (const line of await logOf("debug"))
    for (const [name, value] of Object.entries(JSON.parse(line) as object))
      if (name === "event") expect(Object.keys(LOG_EVENTS)).toContain(value);
      else if (name !== "at" && name !== "level") expect(Object.keys(LOG_FIELDS)).toContain(name);
});
