import { setImmediate as defer } from "node:timers";
import type { Connector, ConnectorFunction } from "@tutti/connector-kit";
import type { RunView } from "@tutti/engine";
import type { Json, JsonObject } from "@tutti/model";
import { createFaultyStore, createMemoryStore, type FaultDecision, MemoryDisk, type Store } from "@tutti/store";
import { type Bank, type BankOptions, createBank, VirtualClock } from "@tutti/testkit";
import type { CrashPointName, Env } from "./env.ts";
import type { ReferenceReader } from "./reference-reader.ts";
import type { LogLine, Runtime, StoredRun, WaitUntil } from "./runtime.ts";
import { createRuntime, type RuntimeDeps } from "./runtime-service.ts";

/** Virtual time that a run of a test may take at most. */
const PATIENCE_MS = 60 * 60 * 1000;

export interface WorldOptions {
  readonly bank?: BankOptions;
  readonly connectors?: readonly Connector[];
  readonly drive?: RuntimeDeps["drive"];
  readonly faults?: FaultDecision;
  /** Asked at each start of the process. */
  readonly installationId?: () => string;
  readonly secrets?: Readonly<Record<string, Json>>;
  readonly references?: ReferenceReader;
  readonly retention?: RuntimeDeps["retention"];
  /** Another node on the same disk: `of` is the world it shares with. Both have a node id then. */
  readonly node?: { readonly id: string; readonly of?: World };
  /** Asked at every crash point of the process that lives now; true is kill -9. */
  readonly crashAt?: (name: CrashPointName, detail: Readonly<Record<string, Json>>) => boolean;
}

/**
 * A runtime on virtual time with a disk and a bank that outlive it: tests kill and start the process as often as they like. `reports` holds
 * what the process would have written to its own log.
 */
export class World {
  readonly clock: VirtualClock;
  readonly disk: MemoryDisk;
  readonly bank: Bank;
  readonly reports: string[] = [];
  readonly logLines: LogLine[] = [];
  options: WorldOptions;
  #process: { isAlive: boolean } = { isAlive: false };
  #runtime: Runtime | undefined;
  #ids = 0;
  #lives = 0;
  #store: Store | undefined;
  #activity = 0;
  readonly #logged = new EventTarget();

  constructor(options: WorldOptions = {}) {
    this.options = options;
    const other = options.node?.of;
    this.clock = other?.clock ?? new VirtualClock();
    this.disk = other?.disk ?? new MemoryDisk();
    this.bank =
      other?.bank ??
      createBank({ nowMs: () => this.clock.wallClockMs(), sleep: (ms, signal) => this.clock.sleep(ms, signal), ...options.bank });
  }

  get runtime(): Runtime {
    if (this.#runtime === undefined) throw new Error("The world's process is not started.");
    return this.#runtime;
  }

  get isAlive(): boolean {
    return this.#process.isAlive;
  }

  /** Starts a process on the disk as the last one left it. */
  async start(): Promise<Runtime> {
    const process = { isAlive: true };
    this.#process = process;
    const { node } = this.options;
    this.#lives += 1;
    const nowMs = (): number => this.clock.monotonicMs();
    const memory = createMemoryStore(this.disk, node === undefined ? undefined : { nodeId: `node_${node.id}${this.#lives}`, nowMs });
    this.#store = memory;
    const store: Store = this.options.faults === undefined ? memory : createFaultyStore(memory, this.options.faults);
    const runtime = createRuntime({
      store,
      connectors: [this.bank.connector, ...(this.options.connectors ?? [])].map((connector) => mortal(connector, process)),
      env: this.#env(process),
      drive: this.options.drive ?? "all",
      version: "test",
      ...(this.options.references !== undefined && { references: this.options.references }),
      ...(this.options.retention === undefined ? {} : { retention: this.options.retention }),
      ...(this.options.installationId === undefined ? {} : { installationId: this.options.installationId() }),
    });
    this.#runtime = runtime;
    await this.settle(runtime.start());
    return runtime;
  }

  /** kill -9: nothing that the process had in memory happens any more. */
  kill(): void {
    this.#process.isAlive = false;
    // What hints of other nodes still set off in the dead process finds no store.
    if (this.options.node !== undefined) void this.#store?.stop();
    this.disk.crash();
  }

  async restart(): Promise<Runtime> {
    if (this.isAlive) this.kill();
    return this.start();
  }

  /** Lets virtual time pass as far as `work` needs it. */
  async settle<T>(work: Promise<T>): Promise<T> {
    let isOver = false;
    const watched = work.finally(() => {
      isOver = true;
    });
    // Handled below; a rejection before that must not count as unhandled.
    watched.catch(() => undefined);
    const untilMs = this.clock.monotonicMs() + PATIENCE_MS;
    await this.calm();
    while (!isOver && this.isAlive && this.clock.monotonicMs() < untilMs) {
      if (!(await this.clock.advanceToNext())) break;
      await this.calm();
    }
    if (!isOver) throw new Error(this.isAlive ? "The world waited an hour in vain." : "The world's process has died.");
    return watched;
  }

  /** Lets everything happen that needs no time, however many commits it takes. */
  async calm(): Promise<void> {
    for (let quiet = 0; quiet < 4;) {
      const before = this.#activity;
      await this.clock.advance(0);
      quiet = this.#activity === before ? quiet + 1 : 0;
    }
  }

  /** Lets time pass. */
  async pass(ms: number): Promise<void> {
    await this.calm();
    await this.clock.advance(ms);
    await this.calm();
  }

  async publish(tasks: readonly JsonObject[], more: JsonObject = {}): Promise<void> {
    const { document = {}, ...rest } = more;
    const head = { dsl: "1.0.3", namespace: "test", name: "sample", version: "1.0.0", ...(document as JsonObject) };
    await this.runtime.publish({ text: JSON.stringify({ document: head, do: tasks, ...rest }) });
  }

  async begin(input: Json = {}, more: { readonly name?: string; readonly startKey?: string } = {}): Promise<string> {
    const started = await this.settle(
      this.runtime.startRun({
        namespace: "test",
        name: more.name ?? "sample",
        version: "latest",
        input,
        actor: "tester",
        ...(more.startKey === undefined ? {} : { startKey: more.startKey }),
      }),
    );
    return started.runId;
  }

  async wait(runId: string, until: WaitUntil = "rest"): Promise<StoredRun> {
    return this.settle(this.runtime.waitFor(runId, until, new AbortController().signal));
  }

  /** Runs a workflow to its rest and shows it. */
  async run(tasks: readonly JsonObject[], input: Json = {}): Promise<RunView> {
    await this.publish(tasks);
    const runId = await this.begin(input);
    await this.wait(runId, "parked");
    return this.runtime.show(runId);
  }

  async operate(runId: string, action: Parameters<Runtime["operate"]>[0]["action"]): Promise<RunView> {
    return this.settle(this.runtime.operate({ runId, actor: "tester", reason: "test", action }));
  }

  async *#readLogs(runId: string, options: { readonly follow: boolean; readonly signal: AbortSignal }): AsyncGenerator<LogLine> {
    for (let index = 0; ; index += 1) {
      while (index >= this.logLines.length) {
        if (!options.follow || options.signal.aborted) return;
        await new Promise<void>((resolve) => {
          this.#logged.addEventListener("line", () => resolve(), { once: true, signal: options.signal });
          options.signal.addEventListener("abort", () => resolve(), { once: true });
        });
      }
      const line = this.logLines[index];
      if (line?.runId === runId) yield line;
    }
  }

  #env(process: { isAlive: boolean }): Env {
    const { clock } = this;
    return {
      wallClockMs: () => clock.wallClockMs(),
      monotonicMs: () => clock.monotonicMs(),
      setTimer: (delayMs, callback) => clock.setTimer(delayMs, () => process.isAlive && callback()),
      defer: (callback) => {
        this.#activity += 1;
        defer(() => process.isAlive && callback());
      },
      randomId: () => (this.#ids += 1).toString(36).padStart(16, this.options.node?.id ?? "0"),
      secret: async (name) => this.options.secrets?.[name],
      allSecrets: async () => Object.values(this.options.secrets ?? {}),
      logs: {
        append: (line) => {
          if (!process.isAlive) return;
          this.logLines.push(line);
          this.#logged.dispatchEvent(new Event("line"));
        },
        read: (runId, options) => this.#readLogs(runId, options),
        remove: async (runId) => {
          const kept = this.logLines.filter((line) => line.runId !== runId);
          this.logLines.splice(0, this.logLines.length, ...kept);
        },
      },
      crashPoint: (name, detail) => {
        // What the dead process still does reaches neither disk, bank, timers nor tests.
        if (process.isAlive && this.options.crashAt?.(name, detail) === true) this.kill();
      },
      report: (message, cause) => {
        if (process.isAlive) this.reports.push(cause instanceof Error ? `${message} ${cause.message}` : message);
      },
    };
  }
}

/** The connector in a process that may die: nothing is sent any more after that. */
function mortal(connector: Connector, process: { readonly isAlive: boolean }): Connector {
  const never = new Promise<never>(() => undefined);
  const functions = Object.entries(connector.functions).map(([name, declared]): [string, ConnectorFunction] => {
    const run: ConnectorFunction["run"] = (input, attempt) => (process.isAlive ? declared.run(input, attempt) : never);
    const find: ConnectorFunction["find"] = async (input, attempt) => (process.isAlive ? declared.find?.(input, attempt) : never);
    // Not copied, so that a test may change what a function says of itself.
    return [name, Object.assign(Object.create(declared) as ConnectorFunction, { run, ...(declared.find !== undefined && { find }) })];
  });
  return { ...connector, functions: Object.fromEntries(functions) };
}
