import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TaskView } from "@tutti/engine";
import { processConnector } from "@tutti/connector-process";
import { createNodeEnv, resolveDataDirectory } from "@tutti/host";
import { isJsonObject, type Json } from "@tutti/model";
import { createRuntime, type Env, type Runtime } from "@tutti/runtime";
import { createMemoryStore, MemoryDisk, type Store } from "@tutti/store";
import { openSqliteStore } from "@tutti/store-sqlite";
import { type Bank, createBank } from "@tutti/testkit";
import type { RestartCase } from "./cases.ts";
import { mortalConnector, mortalStore } from "./mortal.ts";
import type { CrashPlan } from "./positions.ts";

export type StoreKind = "memory" | "sqlite";

/** What can be seen of a run's end. */
export interface Outcome {
  readonly status: string;
  readonly output: Json | undefined;
  readonly tasks: readonly (readonly [string, string, Json])[];
  /** How often each effect happened, sorted. */
  readonly effects: readonly number[];
  readonly deaths: number;
  readonly positions: number;
}

const LIVES_MAX = 80;
/** Real time, and only to stop what hangs. */
const LIFE_MS = 180_000;
const POLL_MS = 3;

/**
 * Runs the case to its end, on a store of the kind, with as many deaths of the process as the plan asks for. `atEnd` sees the last process before
 * it stops.
 */
export async function runCase(
  one: RestartCase,
  kind: StoreKind,
  plan: CrashPlan,
  atEnd: (runtime: Runtime) => Promise<void> = async () => undefined,
): Promise<Outcome> {
  const directory = mkdtempSync(join(tmpdir(), "tutti-restart-"));
  const disk = new MemoryDisk();
  const bank = createBank();
  const unread = new Map(Object.entries(one.outside ?? {}));
  let deaths = 0;
  let nextStep = 0;
  try {
    for (let life = 0; life < LIVES_MAX; life++) {
      const store = kind === "memory" ? createMemoryStore(disk) : openSqliteStore({ directory });
      const body = new Life({ store, bank, directory, plan, unread });
      const outcome = await Promise.race([
        body.live(one, nextStep, (step) => {
          nextStep = step;
        }),
        body.death,
      ]);
      if (outcome !== undefined) {
        await atEnd(body.runtime);
        await body.end();
        return { ...outcome, effects: [...bank.effects().values()].toSorted((a, b) => a - b), deaths, positions: 0 };
      }
      deaths++;
      if (kind === "memory") disk.crash();
      else await body.bury();
    }
    throw new Error(`${one.name} did not end in ${LIVES_MAX} lives`);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** What outlives a process. */
interface World {
  readonly store: Store;
  readonly bank: Bank;
  readonly directory: string;
  readonly plan: CrashPlan;
  /** Texts that documents refer to and nobody has read yet. */
  readonly unread: Map<string, string>;
}

/** One process: everything it owns goes dead at the moment of its death, in the middle of whatever it is doing. */
class Life {
  readonly death: Promise<undefined>;
  readonly #store: Store;
  readonly #bank: Bank;
  readonly runtime: Runtime;
  isAlive = true;
  #die: () => void = () => undefined;

  constructor({ store, bank, directory, plan, unread }: World) {
    this.death = new Promise((resolve) => {
      this.#die = () => {
        this.isAlive = false;
        resolve(undefined);
      };
    });
    this.#store = store;
    this.#bank = bank;
    const env = createNodeEnv({
      directory: resolveDataDirectory({ flag: directory, environment: {}, currentDirectory: "/" }),
      environment: {},
      report: (message, cause) => {
        if (this.isAlive) process.stderr.write(`${message} ${cause instanceof Error ? (cause.stack ?? "") : String(cause)}\n`);
      },
    });
    this.runtime = createRuntime({
      store: mortalStore(store, this),
      connectors: [bank.connector, processConnector({})].map((connector) => mortalConnector(connector, this)),
      env: this.#mortalEnv(env, plan),
      drive: "all",
      version: "restart-test",
      references: {
        read: async ({ uri, from }) => {
          const url = new URL(uri, from).href;
          const text = unread.get(url);
          if (text === undefined) throw new Error(`${url} was read before: a run must not need it again`);
          unread.delete(url);
          return { url, text };
        },
      },
    });
  }

  async live(
    one: RestartCase,
    firstStep: number,
    passed: (step: number) => void,
  ): Promise<Omit<Outcome, "effects" | "deaths" | "positions"> | undefined> {
    const runtime = this.runtime;
    await this.#store.start();
    await runtime.start();
    await runtime.publish({ text: documentOf("main", one.tasks, one.use) });
    for (const [name, tasks] of Object.entries(one.others ?? {})) await runtime.publish({ text: documentOf(name, tasks) });
    const { runId } = await runtime.startRun({
      namespace: "restart",
      name: "main",
      version: "1.0.0",
      input: one.input ?? null,
      actor: "test",
      startKey: "one",
    });
    const steps = one.steps ?? [];
    let next = firstStep;
    const untilMs = performance.now() + LIFE_MS;
    for (;;) {
      if (performance.now() > untilMs)
        throw new Error(
          `${one.name} waits in vain at step ${next}: ${JSON.stringify((await runtime.show(runId)).waits)}\n${JSON.stringify(await runtime.records(runId, 1, 100))}`,
        );
      const row = await runtime.loadRow(runId);
      if (row.status === "completed" || row.status === "cancelled" || row.status === "quarantined") {
        const view = await runtime.show(runId);
        return {
          status: row.status,
          output: view.output,
          tasks: view.tasks.map((task) => [task.name, task.status, withoutTime(task.output ?? null)] as const),
        };
      }
      const step = steps[next];
      // An operator's word may have been committed by a life that died before it was told: the run's state says whether it is still due.
      if (step !== undefined && row.status === step.when && (step.operate?.kind !== "settle" || row.inDoubt > 0)) {
        if (step.send !== undefined) {
          await runtime.acceptEvent({ specversion: "1.0", source: "restart", ...step.send });
          passed(++next);
        } else if (step.operate !== undefined) await this.#operate(runId, step.operate, () => passed(++next));
      } else if (step?.operate?.kind === "resume" && row.status === "waiting") passed(++next);
      else if (step?.operate?.kind === "backout" && row.status === "suspended") passed(++next);
      else if (step?.operate?.kind === "pause" && row.status !== "waiting") passed(++next);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  /** A case settles a doubt only where a crash left one, as often as that happens. */
  async #operate(
    runId: string,
    action: NonNullable<NonNullable<RestartCase["steps"]>[number]["operate"]>,
    done: () => void,
  ): Promise<void> {
    if (action.kind !== "settle") {
      await this.runtime.operate({ runId, actor: "test", action });
      done();
      return;
    }
    const view = await this.runtime.show(runId);
    const task = view.tasks.flatMap(withChildren).find((one) => one.status === "in-doubt");
    if (task === undefined) return;
    // A person settles by looking at the target: the bank's books.
    const happened = (this.#bank.effects().get(task.token ?? "") ?? 0) > 0;
    await this.runtime.operate({
      runId,
      actor: "test",
      action: {
        kind: "settle",
        task: String(task.task),
        verdict: happened ? { kind: "done", output: null } : { kind: "not-done", then: "run" },
      },
    });
  }

  async end(): Promise<void> {
    await this.runtime.stop();
    await this.#store.stop();
  }

  /** Lets another process open what this one left. */
  async bury(): Promise<void> {
    await this.#store.stop();
  }

  #mortalEnv(env: Env, plan: CrashPlan): Env {
    return {
      ...env,
      setTimer: (delayMs, callback) => env.setTimer(delayMs, () => void (this.isAlive && callback())),
      defer: (callback) => env.defer(() => void (this.isAlive && callback())),
      crashPoint: (name, detail) => {
        if (this.isAlive && plan(name, detail)) this.#die();
      },
    };
  }
}

/** An emitted event says when it was emitted: that may differ. */
function withoutTime(output: Json): Json {
  return isJsonObject(output) && "specversion" in output ? { ...output, time: null } : output;
}

function withChildren(task: TaskView): readonly TaskView[] {
  return [task, ...task.children.flatMap(withChildren)];
}

function documentOf(name: string, tasks: string, use = "{}"): string {
  return `document: { dsl: 1.0.3, namespace: restart, name: ${name}, version: 1.0.0 }\nuse: ${use}\ndo: ${tasks}\n`;
}
