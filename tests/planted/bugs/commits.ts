import type { Bug } from "../bug.ts";

const GROUP_COMMIT = "packages/runtime/src/group-commit.ts";
const PARTS = "packages/runtime/src/runtime-parts.ts";

/** Commits, promises, and what a restart finds. */
export const COMMIT_BUGS: readonly Bug[] = [
  {
    name: "acknowledged-before-commit",
    breaks: "Whoever asked is answered when the commit is sent, not when it is stored.",
    known: "baidu/ins#32, litedb-org/LiteDB#2818: acknowledged, and gone after a crash",
    edits: [
      {
        file: GROUP_COMMIT,
        find: "    this.#store.commit({ runs: commits }).then(",
        put: "    for (const run of runs) for (const one of run.flying?.acknowledgements ?? []) one.resolve();\n    this.#store.commit({ runs: commits }).then(",
      },
    ],
    catcher: { by: "simulation", seedsMax: 20 },
  },
  {
    name: "failed-commit-shrugged-off",
    breaks: "After a commit that failed the runs go on in memory as if it had been stored.",
    known: "an error of the database that is logged and dropped, as in dbos-inc/dbos-transact-py#716",
    edits: [
      {
        file: GROUP_COMMIT,
        find: "for (const run of runs) this.#lose(run, error);",
        put: "for (const run of runs) run.flying = undefined;",
      },
    ],
    catcher: { by: "simulation", seedsMax: 20 },
  },
  {
    name: "load-error-swallowed",
    breaks: "A run whose load fails after a restart is reported and never loaded again.",
    known: "dbos-inc/dbos-transact-py#716; ours, mended in 41ed365",
    edits: [
      {
        file: PARTS,
        find: "if (!isOver) env.setTimer(pauseAfter(attempt), () => void this.#takeUp(runId, attempt + 1));",
        put: "",
      },
    ],
    catcher: {
      by: "test",
      file: "packages/runtime/src/runtime-store-faults.test.ts",
      name: "does not keep a run from being loaded after a restart",
    },
  },
  {
    name: "child-result-not-sent",
    breaks: "A child that has faulted does not tell its parent.",
    known: "cadence-workflow/cadence#503",
    edits: [
      {
        file: "packages/runtime/src/run-driver.ts",
        find: "        this.tellParent(run, command.outcome);",
        put: `        if (command.outcome.kind !== "faulted") this.tellParent(run, command.outcome);`,
      },
    ],
    catcher: { by: "test", file: "packages/runtime/src/runtime-between-runs.test.ts", name: "that faults faults its parent" },
  },
  {
    name: "row-not-written",
    breaks: "The row keeps the wake-up of the wait before: a parked run is not woken for its new one.",
    known: "ablative-io/aion#159: a timer that is armed and has no row",
    edits: [
      {
        file: "packages/runtime/src/run-commit.ts",
        find: "    row.wakeAtMs === wakeAtOf(summary) &&\n",
        put: "",
      },
    ],
    catcher: { by: "simulation", seedsMax: 60 },
  },
  {
    name: "snapshot-forgets-what-was-consumed",
    breaks: "A snapshot has everything but the places of the events that the run has consumed.",
    known: "rqlite/rqlite#2759: what was restored from a snapshot is not what was stored",
    edits: [{ file: "packages/engine/src/replay.ts", find: "consumed: [...state.consumed],", put: "consumed: []," }],
    catcher: { by: "test", file: "packages/engine/src/wait-listen.test.ts" },
  },
  {
    name: "poison-not-marked",
    breaks: "No mark is written before the first step of a run that was under way at a crash.",
    known: "kestra-io/kestra#18355, MystenLabs/sui#7408: one poisonous run takes the process down for ever",
    edits: [{ file: "packages/runtime/src/poison-watch.ts", find: "await this.#deps.store.markSuspect(mark);", put: "" }],
    catcher: { by: "test", file: "packages/runtime/src/runtime-poison.test.ts" },
  },
  {
    name: "crashes-counted-together",
    breaks: "Crashes of different steps of a run are added up: runs that do no harm are set aside.",
    known: "ours, mended in 26eae07",
    edits: [
      {
        file: "packages/runtime/src/poison-watch.ts",
        find: "return `${runId}${MARK_SEPARATOR}${progress} ${step}`;",
        put: 'return `${runId}${MARK_SEPARATOR}${progress} ${step === "load" ? step : "step"}`;',
      },
    ],
    catcher: { by: "test", file: "packages/runtime/src/runtime-poison.test.ts" },
  },
  {
    name: "stopping-takes-new-work",
    breaks: "A process that is being stopped still begins attempts.",
    known: "dbos-inc/dbos-transact-py#804: a draining node claims work",
    edits: [
      {
        file: "packages/runtime/src/run-driver.ts",
        find: `const isBegun = mode === "open" || (mode === "closing" && command.effect === "unsafe");`,
        put: "const isBegun = true;",
      },
    ],
    catcher: { by: "test", file: "packages/runtime/src/runtime-life-cycle.test.ts" },
  },
];
