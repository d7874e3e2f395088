import type { Bug } from "../bug.ts";

/** Where the platform meets people, clocks, documents and secrets. */
export const EDGE_BUGS: readonly Bug[] = [
  {
    name: "start-key-ignored",
    breaks: "A start that is asked for again with its key starts a second run.",
    known: "danielgerlag/workflow-core#828, restatedev/restate#5128",
    edits: [
      {
        file: "packages/runtime/src/run-starts.ts",
        find: "if (request.startKey !== undefined) return this.#startOnce(",
        put: 'if (request.startKey === "") return this.#startOnce(',
      },
    ],
    catcher: { by: "test", file: "packages/runtime/src/runtime-operations.test.ts", name: "the same start key starts one run" },
  },
  {
    name: "empty-event-id-accepted",
    breaks: "An event without an id is accepted; the next one without an id is taken for the same.",
    known: "dbos-inc/dbos-transact-py#759",
    edits: [{ file: "packages/model/src/schemas.ts", find: ".refine((text) => text.length > 0, {", put: ".refine(() => true, {" }],
    catcher: { by: "test", file: "packages/runtime/src/runtime-between-runs.test.ts", name: "without id, source or type is refused" },
  },
  {
    name: "tick-starts-twice",
    breaks: "A schedule starts its runs without a start key: a crash before its bookkeeping starts one tick twice.",
    known: "argoproj/argo-workflows#4558",
    edits: [{ file: "packages/runtime/src/scheduler.ts", find: "        startKey: this.#keyOf(start),\n", put: "" }],
    catcher: { by: "test", file: "packages/runtime/src/runtime-schedules.test.ts" },
  },
  {
    name: "refused-document-published",
    breaks: "A document with errors is stored as a version before anybody looks at the errors.",
    known: "restatedev/restate#2960",
    edits: [
      {
        file: "packages/runtime/src/program-cache.ts",
        find: "if (parsed.json === undefined || errors.length > 0) throw invalid(source, errors);",
        put: "if (parsed.json === undefined) throw invalid(source, errors);",
      },
    ],
    catcher: { by: "test", file: "packages/runtime/src/runtime-service.test.ts" },
  },
  {
    name: "secret-across-a-border",
    breaks: "A secret that comes in two pieces is passed on, half by half.",
    known: "buildbuddy-io/buildbuddy#10386",
    edits: [
      {
        file: "packages/runtime/src/redactor.ts",
        find: "const open = this.#redactor.openEnd(this.#held);",
        put: "const open = 0;",
      },
    ],
    catcher: { by: "test", file: "packages/runtime/src/redactor.test.ts" },
  },
  {
    name: "expression-without-budget",
    breaks: "A step of an expression costs a thousandth: what should be stopped goes on a thousand times as long.",
    known: "templates of strangers, evaluated without a bound",
    edits: [
      {
        file: "packages/expression/src/run.ts",
        find: "if ((this.#fuel -= units) < 0)",
        put: "if ((this.#fuel -= units / 1000) < 0)",
      },
    ],
    catcher: { by: "test", file: "packages/expression/src/program.test.ts" },
  },
];
