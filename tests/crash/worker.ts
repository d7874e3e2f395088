// The process that is killed: `worker.ts DIRECTORY load|load-ack-early|finish HOME`. It owns the directory, starts runs without end (`load`) or
// brings all runs to an end and settles what is in doubt (`finish`), and writes every acknowledgement to HOME/acks; HOME/bank holds the books.
// `TUTTI_CRASH_POINT` and its like (packages/host/src/crash-point.ts) make it kill itself at an exact place; `CRASH_LOSE_ANSWERS` loses the
// answers of some attempts, so that effects have to be looked up.
import { existsSync } from "node:fs";
import { flushCompileCache } from "node:module";
import { join } from "node:path";
import { createNodeEnv, resolveDataDirectory } from "@tutti/host";
import { createRuntime, type Runtime } from "@tutti/runtime";
import type { CommitBatch, Store } from "@tutti/store";
import { openSqliteStore } from "@tutti/store-sqlite";
import { type Bank, createBank, NO_FAULTS, seededFaults } from "@tutti/testkit";
import { acknowledge } from "./acks.ts";
import { CRASH_WORKFLOWS } from "./workflows.ts";

/** Runs under way at the same time: enough that batches hold many runs, few enough that a restart is quick. */
const RUNS_IN_FLIGHT = 24;
/** A run that is not over by then is stuck: a hundred times what it takes on a quiet machine. */
const FINISH_MS = 600_000;
const LOST_ANSWERS = seededFaults({ seed: 1, rate: 0.3, faults: [{ kind: "fail-after" }], attemptsMax: 1 });

const [directory = "", mode = "load", home = ""] = process.argv.slice(2);
const acks = join(home, "acks");
const data = resolveDataDirectory({ flag: directory, environment: {}, currentDirectory: "/" });
const faults = process.env["CRASH_LOSE_ANSWERS"] === undefined ? NO_FAULTS : LOST_ANSWERS;
const bank = createBank({ path: join(home, "bank"), faults });
const inner = openSqliteStore({ directory });
await inner.start();
const store = acknowledging(inner, mode === "load-ack-early");
const env = createNodeEnv({
  directory: data,
  environment: process.env,
  report: (message, cause) => process.stderr.write(`${message} ${cause instanceof Error ? (cause.stack ?? "") : String(cause)}\n`),
});
const runtime = createRuntime({ store, connectors: [bank.connector], env, drive: "all", version: "crash-test" });
await runtime.start();
// A killed process never writes its compile cache; the first life does, so that the others start in a third of the time.
if (!existsSync(acks)) flushCompileCache();
for (const text of Object.values(CRASH_WORKFLOWS)) await runtime.publish({ text });

if (mode === "finish") {
  await finish(runtime, bank);
  await runtime.stop();
  await store.stop();
} else await Promise.all(Array.from({ length: RUNS_IN_FLIGHT }, () => load(runtime)));

/** Writes down every commit once it is acknowledged; too early as the control, which a kill must expose. */
function acknowledging(target: Store, early: boolean): Store {
  const note = (batch: CommitBatch, committed: (index: number) => boolean): void =>
    acknowledge(
      acks,
      batch.runs.flatMap((run, index) =>
        committed(index) && run.records.length > 0 ? [`C ${run.runId} ${run.expectedSeq + run.records.length}`] : [],
      ),
    );
  return new Proxy(target, {
    get(store, property) {
      if (property !== "commit") {
        const member: unknown = Reflect.get(store, property, store);
        return typeof member === "function" ? (member.bind(store) as unknown) : member;
      }
      return async (batch: CommitBatch) => {
        if (early) note(batch, () => true);
        const result = await store.commit(batch);
        if (!early) note(batch, (index) => result.verdicts[index]?.verdict === "committed");
        return result;
      };
    },
  });
}

async function load(target: Runtime): Promise<never> {
  const names = Object.keys(CRASH_WORKFLOWS);
  for (;;) {
    const key = env.randomId();
    const name = names[Math.floor(Math.random() * names.length)] ?? "steps";
    const { runId } = await target.startRun({
      namespace: "crash",
      name,
      version: "1.0.0",
      input: { key },
      startKey: key,
      actor: "crash-test",
    });
    acknowledge(acks, [`S ${runId}`]);
    await target.waitFor(runId, "rest", AbortSignal.timeout(FINISH_MS)).catch(() => undefined);
  }
}

/** Settles doubts by what the bank knows, until every run is final. */
async function finish(target: Runtime, books: Bank): Promise<void> {
  const deadline = performance.now() + FINISH_MS;
  for (;;) {
    const open = (
      await Promise.all(
        (["running", "waiting", "suspended", "faulted"] as const).map((status) => target.list({ status: [status], limit: 500 })),
      )
    ).flatMap((page) => page.runs);
    if (open.length === 0) return;
    if (performance.now() > deadline) {
      for (const row of open.slice(0, 5))
        process.stderr.write(
          `stuck: ${row.runId} ${row.status} ${row.reason ?? ""}\n${JSON.stringify((await target.show(row.runId)).waits)}\n`,
        );
      process.exitCode = 3;
      return;
    }
    for (const row of open.filter((one) => one.inDoubt > 0)) {
      const view = await target.show(row.runId);
      for (const wait of view.waits.filter((one) => one.kind === "settle")) {
        const token = tokenOf(view.tasks, wait.task);
        const happened = (books.effects().get(token) ?? 0) > 0;
        await target.operate({
          runId: row.runId,
          actor: "crash-test",
          action: {
            kind: "settle",
            task: String(wait.task),
            seen: view.seq,
            verdict: happened ? { kind: "done", output: { settled: true } } : { kind: "not-done", then: "run" },
          },
        });
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function tokenOf(tasks: Awaited<ReturnType<Runtime["show"]>>["tasks"], id: number): string {
  for (const task of tasks) {
    const found = task.task === id ? (task.token ?? "") : tokenOf(task.children, id);
    if (found !== "") return found;
  }
  return "";
}
