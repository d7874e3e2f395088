import { type ChildProcess, fork } from "node:child_process";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { DEFAULT_PATH, STARTER_VARIABLE } from "./child-environment.ts";
import { ownName } from "./seen-process.ts";
import { type ProcessExit, startHere, type StartedProcess, type StartRequest } from "./start-here.ts";
import type { StartOrder, StarterNews } from "./starter-message.ts";

const PROGRAM = fileURLToPath(new URL(`./starter-process${extname(import.meta.filename)}`, import.meta.url));
/** It runs nothing but our own few lines. */
const FLAGS = ["--disallow-code-generation-from-strings", "--disable-proto=delete", "--disable-warning=ExperimentalWarning"];

/**
 * The kernel copies the tables of a process's memory when it starts another one, and Node waits for that: 1 ms at 50 MB, 8 ms at 160 MB, 30 ms at
 * 480 MB, in which nothing else moves. From this size on a small process starts the others; it costs 40 ms once, and 45 MB.
 */
const STARTER_FROM_BYTES = 128 * 1024 * 1024;
/** Then it is ended: the next one costs 40 ms. */
const IDLE_MS = 60_000;

/** The starter was ended by somebody else: what it was told may have been done. */
export class StarterLostError extends Error {
  override readonly name = "StarterLostError";
}

export interface ProcessStarterOptions {
  /** The size of this process from which on another one starts processes for it. */
  readonly fromBytes?: number;
  readonly idleMs?: number;
}

/** An order that has not come to its end. */
interface Open {
  /** Undefined once its start was told. */
  start: PromiseWithResolvers<StartedProcess> | undefined;
  readonly end: PromiseWithResolvers<ProcessExit>;
  isAwaited: boolean;
}

/**
 * Starts processes: from this one while it is small, else from a small one of its own (`starter-process.ts`), so that a start takes no longer as
 * Tutti grows. The starter ends with this process. An order that it hears only then would be carried out after all that the attempt had
 * started was ended: so `endProcessesOf` ends starters whose Tutti is gone as well.
 */
export class ProcessStarter {
  readonly #fromBytes: number;
  readonly #idleMs: number;
  readonly #open = new Map<number, Open>();
  #child: ChildProcess | undefined;
  #idle: NodeJS.Timeout | undefined;
  #lastId = 0;

  constructor(options: ProcessStarterOptions = {}) {
    this.#fromBytes = options.fromBytes ?? STARTER_FROM_BYTES;
    this.#idleMs = options.idleMs ?? IDLE_MS;
  }

  /**
   * @param files the opened files of the request, for a start from this process
   * @throws StarterLostError when it may have been started; any other error: it was not.
   */
  start(request: StartRequest, files: Parameters<typeof startHere>[1]): Promise<StartedProcess> {
    const starter = process.memoryUsage.rss() < this.#fromBytes ? undefined : this.#starter();
    return starter === undefined ? startHere(request, files) : this.#order(starter, request);
  }

  /** Lets the starter go; what it has started goes on. */
  stop(): void {
    clearTimeout(this.#idle);
    this.#child?.disconnect();
    this.#child = undefined;
  }

  #order(starter: ChildProcess, request: StartRequest): Promise<StartedProcess> {
    const id = ++this.#lastId;
    const start = Promise.withResolvers<StartedProcess>();
    const end = Promise.withResolvers<ProcessExit>();
    // Not everybody waits for the end.
    end.promise.catch(() => {});
    this.#open.set(id, { start, end, isAwaited: true });
    this.#stayOrGo();
    const order: StartOrder = { id, ...request };
    starter.send(order, (error) => {
      // A channel that was closed before has carried nothing.
      if (error !== null) this.#close(id)?.start?.reject(error);
    });
    return start.promise;
  }

  /** Undefined where the system does not let us have one. */
  #starter(): ChildProcess | undefined {
    if (this.#child !== undefined) return this.#child;
    const child = fork(PROGRAM, [], {
      execArgv: FLAGS,
      env: {
        PATH: process.env["PATH"] ?? DEFAULT_PATH,
        [STARTER_VARIABLE]: ownName(),
      },
      cwd: "/",
      detached: true,
      stdio: ["ignore", "ignore", "ignore", "ipc"],
    });
    // What becomes of it is told by its channel.
    child.on("error", () => {});
    if (child.pid === undefined) return undefined;
    child.unref();
    child.on("message", (news: StarterNews) => this.#hear(news));
    child.on("disconnect", () => this.#lose(child));
    this.#child = child;
    return child;
  }

  #hear(news: StarterNews): void {
    const open = this.#open.get(news.id);
    if (open === undefined) return;
    if (news.kind === "started") {
      const unref = (): void => {
        open.isAwaited = false;
        this.#stayOrGo();
      };
      open.start?.resolve({ pid: news.pid, ended: open.end.promise, unref });
      open.start = undefined;
      return;
    }
    this.#close(news.id);
    if (news.kind === "ended") open.end.resolve(news.exit);
    else open.start?.reject(Object.assign(new Error(news.message), { code: news.code }));
  }

  #lose(child: ChildProcess): void {
    // Let go of on purpose: its orders are those of the next one.
    if (this.#child !== child) return;
    this.#child = undefined;
    const error = new StarterLostError("the process that starts others for Tutti was ended by somebody else");
    for (const id of this.#open.keys()) {
      const open = this.#close(id);
      open?.start?.reject(error);
      open?.end.reject(error);
    }
  }

  #close(id: number): Open | undefined {
    const open = this.#open.get(id);
    this.#open.delete(id);
    this.#stayOrGo();
    return open;
  }

  /** Keeps this process alive for those that are awaited, and the starter for those that have not ended. */
  #stayOrGo(): void {
    const isAwaited = [...this.#open.values()].some((open) => open.isAwaited);
    if (isAwaited) this.#child?.channel?.ref();
    else this.#child?.channel?.unref();
    clearTimeout(this.#idle);
    if (this.#open.size === 0) this.#idle = setTimeout(() => this.stop(), this.#idleMs).unref();
  }
}
