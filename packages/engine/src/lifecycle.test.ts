import type { CloudEvent } from "@tutti/model";
import { expect, test } from "vitest";
import { LifecycleDeriver } from "./lifecycle.ts";
import type { RunRecord } from "./record.ts";
import { answer, TestRun } from "./test-run.ts";

const kindOf = (event: CloudEvent): string => event.type.replace(/^io\.serverlessworkflow\./, "").replace(/\.v1$/, "");
const isTelling = (event: CloudEvent): boolean => !event.type.includes("status-changed");

function derive(run: TestRun): readonly CloudEvent[] {
  return new LifecycleDeriver(run.context).feed(run.records);
}

/** Kind and task of all but the convenience events. */
function told(run: TestRun): readonly string[] {
  return derive(run)
    .filter(isTelling)
    .map((event) => `${kindOf(event)} ${(event["data"] as { readonly task?: string }).task ?? ""}`.trim());
}

const SEQUENCE = "do:\n- a: { call: x.work:1@test }\n- b: { set: { x: 1 } }\n";

test("a run and its tasks tell of their beginning and their end", () => {
  const run = new TestRun({ document: SEQUENCE, functions: { "x.work:1@test": () => 1 } });
  expect(told(run)).toEqual([
    "workflow.started",
    "task.created /do/0/a",
    "task.started /do/0/a",
    "task.completed /do/0/a",
    "task.created /do/1/b",
    "task.started /do/1/b",
    "task.completed /do/1/b",
    "workflow.completed",
  ]);
  const [first] = derive(run);
  expect(first).toMatchObject({ specversion: "1.0", subject: run.state.runId, data: { definition: { version: "1.0.0" } } });
});

test("ids are all different, and the same in whatever pieces the records come", () => {
  const run = new TestRun({ document: SEQUENCE, functions: { "x.work:1@test": () => 1 } });
  const whole = derive(run);
  expect(new Set(whole.map(({ id }) => id)).size).toBe(whole.length);
  const deriver = new LifecycleDeriver(run.context);
  const pieces: CloudEvent[] = [];
  for (let index = 0; index < run.records.length;) {
    let next = index + 1;
    while (run.records[next]?.type === "attempt-intended") next += 1;
    pieces.push(...deriver.feed(run.records.slice(index, next) as RunRecord[]));
    index = next;
  }
  expect(pieces).toEqual(whole);
});

test("an error that is caught and retried: faulted, retried, completed", () => {
  let calls = 0;
  const run = new TestRun({
    document: "do:\n- t:\n    try: [{ a: { call: x.work:1@test } }]\n    catch: { retry: { limit: { attempt: { count: 1 } } } }\n",
    functions: { "x.work:1@test": () => ((calls += 1) === 1 ? answer(503) : 1) },
  });
  const kinds = told(run);
  expect(kinds.filter((kind) => kind.startsWith("task.faulted"))).toEqual(["task.faulted /do/0/t/try/0/a"]);
  expect(kinds).toContain("task.retried /do/0/t");
  expect(kinds).not.toContain("task.cancelled /do/0/t/try/0/a");
  expect(kinds.at(-1)).toBe("workflow.completed");
});

test("an error that nobody catches faults the workflow, and names itself", () => {
  const run = new TestRun({ document: "do:\n- boom: { raise: { error: { type: https://example.com/x, status: 400, title: no } } }\n" });
  expect(told(run).slice(-2)).toEqual(["task.faulted /do/0/boom", "workflow.faulted"]);
  expect(derive(run).find((event) => kindOf(event) === "workflow.faulted")?.["data"]).toMatchObject({ error: { title: "no" } });
});

test("listening is a correlation of the workflow", () => {
  const run = new TestRun({ document: "do:\n- ear: { listen: { to: { one: { with: { type: a } } } } }\n" });
  expect(told(run)).toContain("workflow.correlation-started");
  expect(told(run)).not.toContain("workflow.correlation-completed");
});
