import type { Bug } from "../bug.ts";

const EVENTS_IN = "packages/runtime/src/events-in.ts";

/** Events and timers: what a run waits for, and gets twice, early, or never. */
export const WAIT_BUGS: readonly Bug[] = [
  {
    name: "event-consumed-twice",
    breaks: "A run does not remember which events it has consumed.",
    known: "dbos-inc/dbos-transact-ts#1205: two waits get the same message",
    edits: [{ file: "packages/engine/src/listen.ts", find: "  state.consumed.set(position, state.lastAtMs);\n", put: "" }],
    catcher: { by: "test", file: "packages/engine/src/wait-listen.test.ts" },
  },
  {
    name: "event-passed-over",
    breaks: "An event whose listener can't be loaded at the moment counts as handed out.",
    known: "ours, mended in 41ed365; dbos-inc/dbos-transact-py#546: one failing dispatch drops the rest",
    edits: [{ file: EVENTS_IN, find: `return isPermanent(error) ? undefined : "failed";`, put: "return undefined;" }],
    catcher: { by: "test", file: "packages/runtime/src/runtime-store-faults.test.ts", name: "does not make a parked run miss an event" },
  },
  {
    name: "event-key-forgets-data",
    breaks: "The key of an event has its attributes only: nobody is found who is correlated by the data.",
    known: "what an index by what is compared is most likely to do wrong: a look-up that sees less than the comparison (decision 0051)",
    edits: [
      {
        file: "packages/engine/src/event-key.ts",
        find: "for (const name of path) found = isJsonObject(found) ? ownProperty(found, name) : undefined;",
        put: "found = isJsonObject(found) && path.length === 1 ? ownProperty(found, path[0] as string) : undefined;",
      },
    ],
    catcher: { by: "suite", cases: ["events/listen"] },
  },
  {
    name: "event-accepted-twice",
    breaks: "An event that is sent again is a second event.",
    known: "coleam00/Archon#1951: one delivery that comes twice is two",
    edits: [
      {
        file: "packages/store/src/memory-commit.ts",
        find: "if (known !== undefined) return { position: known, duplicate: true };",
        put: "",
      },
    ],
    catcher: { by: "test", file: "packages/store/src/memory-store.test.ts", name: "an event is accepted once" },
  },
  {
    name: "subscription-hears-the-past",
    breaks: "A listener without correlation gets events from before its subscription.",
    known: "a message of the round before, taken for an answer",
    edits: [
      {
        file: "packages/store-sqlite/src/commit.ts",
        find: "const after = one.correlated ? startPositionOf(connection, run.runKey) : lastEventPosition(connection);",
        put: "const after = startPositionOf(connection, run.runKey);",
      },
    ],
    catcher: {
      by: "test",
      file: "packages/store-sqlite/src/sqlite-store.integration.test.ts",
      name: "without correlation only events after",
    },
  },
  {
    name: "timers-lost-at-restart",
    breaks: "The timers of a run that is loaded again are not set.",
    known: "mastra-ai/mastra#24591, dbos-inc/dbos-transact-golang#479: what sleeps at a restart never wakes",
    edits: [
      {
        file: "packages/engine/src/summary.ts",
        find: `for (const timer of state.timers.values()) commands.push({ type: "set-timer", timer: timer.id, dueAtMs: timer.dueAtMs });`,
        put: ";",
      },
    ],
    catcher: { by: "test", file: "packages/runtime/src/runtime-life-cycle.test.ts" },
  },
  {
    name: "deadline-runs-on-at-rest",
    breaks: "The time limits of a run go on while it waits for a person.",
    known: "ours, mended in e4d4ce8",
    edits: [
      {
        file: "packages/engine/src/standstill.ts",
        find: "if (hasFlag(state, LIMITS_STAND_STILL)) state.standsSinceMs ??= state.lastAtMs;",
        put: "void hasFlag(state, LIMITS_STAND_STILL);",
      },
    ],
    catcher: { by: "test", file: "packages/runtime/src/runtime-standstill.test.ts" },
  },
  {
    name: "backoff-one-step-ahead",
    breaks: "The first retry already waits twice the delay.",
    known: "argoproj/argo-workflows#3513",
    edits: [
      {
        file: "packages/engine/src/catching.ts",
        find: "EXPONENTIAL_FACTOR ** retries;",
        put: "EXPONENTIAL_FACTOR ** (retries + 1);",
      },
    ],
    catcher: { by: "suite", cases: ["faults/retry"] },
  },
];
