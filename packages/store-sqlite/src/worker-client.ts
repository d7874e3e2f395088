import { once } from "node:events";
import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import type { FinishedPage, FinishedQuery, RunCounts, RunPage, RunQuery, StoreReport } from "@tutti/store";
import type { LogState } from "./checkpoint.ts";
import type { StoreFailure } from "./failure.ts";
import type { ListPlan } from "./list-runs.ts";
import type { PackedJob, PackedResult } from "./pack-jobs.ts";

/** What each thread of the store is asked for. */
interface Requests {
  /** Carries out transactions. */
  readonly writer: { readonly kind: "write"; readonly jobs: readonly PackedJob[] };
  /** Writes the log back, beside the writer. */
  readonly housekeeper: { readonly kind: "checkpoint" };
  /** Reads what takes long, through a connection that cannot write. */
  readonly reader:
    | { readonly kind: "check" }
    | { readonly kind: "finished"; readonly query: FinishedQuery }
    | { readonly kind: "list"; readonly query: RunQuery; readonly plan: ListPlan }
    | { readonly kind: "count"; readonly tenant: string }
    | { readonly kind: "backup"; readonly file: string };
}
export type StoreThread = keyof Requests;
export type RequestOf<T extends StoreThread> = Requests[T];

export interface WorkerClosing {
  readonly kind: "close";
}
export interface WorkerData {
  readonly path: string;
  readonly thread: StoreThread;
}

export type WorkerReply<T = unknown> =
  | { readonly ok: true; readonly value: T; readonly durationMs: number }
  | { readonly ok: false; readonly failure: StoreFailure };

/** Beside this file, and of its kind: both are sources, or both are bundled. */
const WORKER = new URL(`./store-worker${extname(import.meta.filename)}`, import.meta.url);
/** What the worker says first, once its connection is open. */
export const WORKER_READY = "ready";
/**
 * What it says instead, last of all, when the database could not be opened. Nothing was written through it, and the next request starts another
 * one: a full disk has no room for what a new connection needs, and may have it later.
 */
export interface WorkerUnopened {
  readonly unopened: StoreFailure;
}

export interface WorkerAnswers {
  readonly write: readonly PackedResult[];
  readonly checkpoint: LogState;
  readonly check: StoreReport;
  readonly finished: FinishedPage;
  readonly list: RunPage;
  readonly count: RunCounts;
  readonly backup: StoreReport;
}

/** A thread with its own connection, started on first use. It keeps the process alive only while it has something to answer. */
export class WorkerClient<T extends StoreThread> {
  readonly #path: string;
  readonly #thread: T;
  #worker: Worker | undefined;
  #isReady = false;
  #unopened: StoreFailure | undefined;
  readonly #waiting: ((reply: WorkerReply) => void)[] = [];

  constructor(path: string, thread: T) {
    this.#path = path;
    this.#thread = thread;
  }

  /** Whether a request is answered without waiting for the thread to start, which takes some hundred milliseconds. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /** Starts the thread without waiting for it. */
  prepare(): void {
    this.#worker ??= this.#start();
  }

  /** Never rejects: a worker that dies answers with a failed disk, since nobody knows what it wrote last. */
  async request<K extends RequestOf<T>["kind"]>(request: RequestOf<T> & { readonly kind: K }): Promise<WorkerReply<WorkerAnswers[K]>> {
    const worker = (this.#worker ??= this.#start());
    worker.ref();
    const reply = await new Promise<WorkerReply>((resolve) => {
      this.#waiting.push(resolve);
      worker.postMessage(request);
    });
    // The worker answers each kind of request with the value of that kind.
    return reply as WorkerReply<WorkerAnswers[K]>;
  }

  async close(): Promise<void> {
    const worker = this.#worker;
    if (worker === undefined) return;
    this.#worker = undefined;
    this.#isReady = false;
    worker.ref();
    const ended = once(worker, "exit");
    worker.postMessage({ kind: "close" } satisfies WorkerClosing);
    await ended;
  }

  #start(): Worker {
    const data: WorkerData = { path: this.#path, thread: this.#thread };
    const worker = new Worker(WORKER, { workerData: data });
    worker.unref();
    worker.on("message", (reply: WorkerReply | WorkerUnopened | typeof WORKER_READY) => {
      if (reply === WORKER_READY) {
        this.#isReady = true;
        return;
      }
      if ("unopened" in reply) {
        this.#unopened = reply.unopened;
        return;
      }
      this.#waiting.shift()?.(reply);
      if (this.#waiting.length === 0) worker.unref();
    });
    let hasFailed = false;
    worker.on("error", (error: unknown) => {
      hasFailed = true;
      this.#fail(worker, error);
    });
    worker.on("exit", () => {
      // After an error its successor may have requests already: they are not this one's.
      if (!hasFailed) this.#fail(worker, new Error("it ended"));
    });
    return worker;
  }

  #fail(worker: Worker, error: unknown): void {
    const unopened = this.#unopened;
    this.#unopened = undefined;
    if (this.#worker === worker) {
      this.#worker = undefined;
      this.#isReady = false;
    }
    for (const resolve of this.#waiting.splice(0))
      resolve({
        ok: false,
        failure: unopened ?? {
          kind: "disk-failed",
          message: `the store's worker died: ${error instanceof Error ? error.message : String(error)}`,
        },
      });
  }
}
