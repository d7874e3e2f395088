import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { connectOnly, type DataDirectory, resolveDataDirectory } from "@tutti/host";
import { isJsonObject, type Json, type JsonObject } from "@tutti/model";
import { type Ended, TuttiProcess, workDirectory } from "../cli/tutti-process.ts";

type Connection = NonNullable<Awaited<ReturnType<typeof connectOnly>>>;
type Call = Parameters<Connection["call"]>[0];

/** A start of `tutti up` on a machine under load. */
const START_MS_MAX = 180_000;
const LOOK_MS = 50;
/** Longest life of a command: a row's own limits end it before. */
const COMMAND_MS_MAX = 240_000;
/** Of the process that drives all rows of a group at the same time. Bare it takes 120 MiB; 64 MiB that come in are held once or twice, never many times. */
export const PEAK_RSS_BYTES_MAX = 1024 * 1024 * 1024;

const NEIGHBOUR = `document: { dsl: 1.0.3, namespace: house, name: neighbour, version: 1.0.0 }
do:
  - before: { set: { step: 1 } }
  - rest: { wait: { milliseconds: 300 } }
  - after: { set: { step: 2 } }
`;

/** A directory with a `tutti up` in it, and what a test asks about that process: is it the same, does it live, do other runs go on. */
export class House {
  /** Where commands run; the data directory lies in it. */
  readonly directory: string;
  readonly data: DataDirectory;
  readonly environment: Readonly<Record<string, string>>;
  #up: TuttiProcess | undefined;
  #connection: Connection | undefined;

  private constructor(directory: string, data: string, environment: Readonly<Record<string, string>>) {
    this.directory = directory;
    this.data = resolveDataDirectory({ flag: data, environment: {}, currentDirectory: directory });
    this.environment = environment;
  }

  /** A directory without a process. */
  static make(options: { readonly data?: string; readonly environment?: Readonly<Record<string, string>> } = {}): House {
    return new House(workDirectory({ "neighbour.yaml": NEIGHBOUR }), options.data ?? ".tutti", options.environment ?? {});
  }

  /** With a `tutti up` that answers, and a neighbour to start. */
  static async open(options: Parameters<typeof House.make>[0] = {}): Promise<House> {
    const house = House.make(options);
    await house.start();
    return house;
  }

  /** Starts `tutti up`. @throws when it ends or does not answer in time. */
  async start(): Promise<void> {
    const up = new TuttiProcess(this.directory, ["up", "--data", this.data.path], this.environment);
    this.#up = up;
    const deadline = performance.now() + START_MS_MAX;
    while (this.#connection === undefined) {
      if (existsSync(this.data.path)) this.#connection = await connectOnly(this.data, this.environment);
      if (this.#connection !== undefined) break;
      if (up.child.exitCode !== null || performance.now() > deadline) throw new Error(`tutti up did not start:\n${up.out}${up.error}`);
      await pause(LOOK_MS);
    }
    await this.call("publish", { text: NEIGHBOUR });
  }

  get pid(): number {
    const pid = this.#up?.child.pid;
    assert(pid !== undefined, "the house has a process");
    return pid;
  }

  /** What `tutti up` has printed. */
  get said(): string {
    return `${this.#up?.out ?? ""}${this.#up?.error ?? ""}`;
  }

  /** Resolves when `tutti up` has printed `text`. Rejects when it ends without it. */
  async says(text: string): Promise<void> {
    await this.#up?.says(text);
  }

  /** Puts a file beside the data directory. @returns its path. */
  write(name: string, content: string | Uint8Array, mode = 0o644): string {
    const path = join(this.directory, name);
    writeFileSync(path, content, { mode });
    return path;
  }

  /** A `tutti` command as a person types it, to its end. */
  async tutti(...words: readonly string[]): Promise<Ended> {
    const process = new TuttiProcess(this.directory, [...words, "--data", this.data.path], this.environment);
    const limit = setTimeout(() => process.child.kill("SIGKILL"), COMMAND_MS_MAX);
    try {
      return await process.ended;
    } finally {
      clearTimeout(limit);
    }
  }

  /** A call on the control socket, past all that the command line checks. Rejects when the process is gone. */
  async call(call: Call, given: object): Promise<JsonObject> {
    const answer = await this.list(call, given);
    return isJsonObject(answer) ? answer : {};
  }

  /** As `call`, for answers that are no object. */
  async list(call: Call, given: object): Promise<Json | undefined> {
    assert(this.#connection !== undefined, "the house has a process");
    return this.#connection.call(call, given, AbortSignal.timeout(COMMAND_MS_MAX));
  }

  /** Another connection to the same process, which a test may lose. */
  async connect(): Promise<Connection> {
    const connection = await connectOnly(this.data, this.environment);
    assert(connection !== undefined, "the house has a process");
    return connection;
  }

  /** Runs a workflow with nothing wrong in it. @throws when it is not completed in time. */
  async neighbour(limitMs: number): Promise<void> {
    const start = { namespace: "house", name: "neighbour", version: "1.0.0", input: {}, actor: "test" };
    const work = async (): Promise<JsonObject> =>
      this.call("waitFor", { runId: (await this.call("startRun", start))["runId"], until: "rest" });
    const row = await inTime(work(), limitMs);
    assert.equal(row["status"], "completed", "the neighbour goes on");
  }

  /** The process is the one that was started, answers, and has never taken more memory than it may. */
  async mustLive(pid: number, limitMs: number): Promise<void> {
    assert.equal(this.pid, pid, "it is the same process");
    assert.equal(this.#up?.child.exitCode, null, "the process lives");
    assert.equal(this.#up?.child.signalCode, null, "the process lives");
    await inTime(this.call("listDefinitions", {}), limitMs);
    assert(this.peakRssBytes() < PEAK_RSS_BYTES_MAX, `it took ${this.peakRssBytes()} bytes of memory`);
  }

  /** The most memory that the process ever held. Source: proc_pid_status(5), VmHWM. */
  peakRssBytes(): number {
    const kib = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${this.pid}/status`, "utf8"))?.[1];
    return Number(kib) * 1024;
  }

  /** A signal to `tutti up`. */
  signal(name: NodeJS.Signals): void {
    this.#up?.child.kill(name);
  }

  /** Ends `tutti up` and waits until it is gone. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<Ended | undefined> {
    const up = this.#up;
    this.#up = undefined;
    this.#connection?.close();
    this.#connection = undefined;
    up?.child.kill(signal);
    return up?.ended;
  }

  async close(): Promise<void> {
    await this.stop("SIGKILL");
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** @throws when `work` is not done in time. */
async function inTime<T>(work: Promise<T>, ms: number): Promise<T> {
  const over = new AbortController();
  try {
    const late = pause(ms, undefined, { signal: over.signal }).then(() => {
      throw new Error(`not done within ${ms} ms`);
    });
    late.catch(() => {});
    return await Promise.race([work, late]);
  } finally {
    over.abort();
  }
}
