import type { Bug } from "../bug.ts";

/** The flow of control: branches, ends, words of people, slots. */
export const FLOW_BUGS: readonly Bug[] = [
  {
    name: "joined-too-early",
    breaks: "A fork goes on when all of its branches but one are done.",
    known: "apache/hop#5910",
    edits: [
      { file: "packages/engine/src/kinds.ts", find: "  if (frame.open === 0) {", put: "  if (frame.open <= 1) {" },
      {
        file: "packages/engine/src/kinds.ts",
        find: "if (frame.open === 0) parent.frame = undefined;",
        put: "if (frame.open <= 1) parent.frame = undefined;",
      },
    ],
    catcher: { by: "test", file: "packages/engine/src/fork.test.ts" },
  },
  {
    name: "losers-go-on",
    breaks: "The branches that lost a race are not ended.",
    known: "a race of promises as a fork",
    edits: [
      {
        file: "packages/engine/src/kinds.ts",
        find: "endInside(machine, parent, {",
        put: "void endInside; machine.later({ task: parent.id,",
      },
    ],
    catcher: { by: "test", file: "packages/engine/src/fork.test.ts" },
  },
  {
    name: "undone-in-order",
    breaks: "What a saga did is undone in the order in which it was done.",
    known: "a list of undos that is walked from its beginning",
    edits: [{ file: "packages/engine/src/back-out.ts", find: "frame.pending.pop()", put: "frame.pending.shift()" }],
    catcher: { by: "test", file: "packages/engine/src/back-out.test.ts" },
  },
  {
    name: "undone-while-in-flight",
    breaks: "A scope is undone while a call inside of it is still under way: what that makes stays.",
    known: "a cancellation that forgets what it has sent",
    edits: [{ file: "packages/engine/src/back-out.ts", find: "inside.some((task) => isInFlight(machine, task)) ||", put: "" }],
    catcher: { by: "test", file: "packages/engine/src/back-out.test.ts" },
  },
  {
    name: "undone-effect-adopted",
    breaks: "A repetition takes over what its first pass had made and what was undone since.",
    known: "an idempotency key that outlives the compensation",
    edits: [{ file: "packages/engine/src/tasks.ts", find: "Math.max(parent.group, state.undone[key] ?? 0)", put: "parent.group" }],
    catcher: { by: "test", file: "packages/engine/src/back-out.test.ts" },
  },
  {
    name: "skip-wakes-suspended-run",
    breaks: "Skipping a task of a suspended run sets the whole run going.",
    known: "ours, mended in 372fc32",
    edits: [{ file: "packages/engine/src/operate.ts", find: "      state.isPaused = isPaused;\n", put: "" }],
    catcher: { by: "test", file: "packages/engine/src/operate.test.ts" },
  },
  {
    name: "error-kind-masked",
    breaks: "Every failure of a connector is a runtime error, so that no catch of a kind takes it.",
    known: "temporalio/temporal#734",
    edits: [
      {
        file: "packages/runtime/src/attempt-outcome.ts",
        find: "return taskError(thrown.errorKind, title, more);",
        put: `return taskError("runtime", title, more);`,
      },
    ],
    catcher: { by: "suite", cases: ["calls/http"] },
  },
  {
    name: "slot-leaked",
    breaks: "A task that ends keeps its concurrency slot.",
    known: "argoproj/argo-workflows#4632, kestra-io/kestra#17759",
    edits: [
      {
        file: "packages/engine/src/tasks.ts",
        find: `if (task.slotKey !== undefined) machine.command({ type: "release-slot", task: task.id, key: task.slotKey });`,
        put: "",
      },
    ],
    catcher: { by: "test", file: "packages/engine/src/slot.test.ts" },
  },
  {
    name: "withdrawn-request-stored",
    breaks: "A request for a slot that is withdrawn in the same commit stays in the queue, for a task that is gone.",
    known: "ours, mended in d6c0505; dbos-inc/dbos-transact-ts#706: a row in the queue for a run that is over",
    edits: [
      {
        file: "packages/runtime/src/run-driver.ts",
        find: "pending.acquire = pending.acquire?.filter(({ key, task }) => key !== command.key || task !== command.task);",
        put: "",
      },
    ],
    catcher: { by: "test", file: "packages/runtime/src/runtime-between-runs.test.ts", name: "withdrawn before it was stored" },
  },
  {
    name: "queue-overtaken",
    breaks: "A newcomer takes a slot that is free for a moment, before those who wait.",
    known: "timbrinded/pi-workflow-engine#53: a slot that is handed on is up for grabs",
    edits: [
      {
        file: "packages/store/src/memory-slots.ts",
        find: "const isFree = held.length < request.limit && held.length === entries.length;",
        put: "const isFree = held.length < request.limit;",
      },
      {
        file: "packages/store/src/memory-slots.ts",
        find: "    grant(disk, entry);\n    notices.push(",
        put: "    if (disk.lastFence % 2 === 0) break;\n    grant(disk, entry);\n    notices.push(",
      },
    ],
    catcher: { by: "test", file: "packages/store/src/memory-store.test.ts", name: "a newcomer never overtakes" },
  },
  {
    name: "limit-exceeded-by-one",
    breaks: "One more holder than the limit allows gets a slot when another lets go.",
    known: "argoproj/argo-workflows#10286",
    edits: [{ file: "packages/store-sqlite/src/slots.ts", find: "if (held >= row.maxHeld) break;", put: "if (held > row.maxHeld) break;" }],
    catcher: { by: "test", file: "packages/store-sqlite/src/sqlite-store.integration.test.ts", name: "slot" },
  },
];
