import { createReadStream, statSync } from "node:fs";
import { appendFile, mkdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import type { LogLine, LogStore } from "@tutti/runtime";

/** Lines waiting to be written, per run. A script that prints faster than the disk takes loses lines, and the log says how many; the run never waits. */
const PENDING_BYTES_MAX = 8 * 1024 * 1024;
/** Lines a slow reader may be behind before it is told to read the file instead. */
const FOLLOW_LINES_MAX = 10_000;

/**
 * The logs of attempts: one append-only file of JSON lines per run, `<directory>/<last two characters of the id>/<run id>.jsonl`.
 *
 * Logs are not durable state: they are written without sync, and after a power cut the last lines may be missing. Only the process that owns the
 * data directory writes, so what follows a file comes from memory.
 */
export class FileLogStore implements LogStore {
  readonly #directory: string;
  readonly #report: (message: string, cause: unknown) => void;
  readonly #writers = new Map<string, Writer>();

  constructor(directory: string, report: (message: string, cause: unknown) => void) {
    this.#directory = directory;
    this.#report = report;
  }

  append(line: LogLine): void {
    this.#writer(line.runId).append(line);
  }

  async *read(runId: string, options: { readonly follow: boolean; readonly signal: AbortSignal }): AsyncIterable<LogLine> {
    const writer = this.#writer(runId);
    // In one go: what was appended before lies below `end` in the file, what comes later goes to the follower, nothing is in both.
    const end = writer.end;
    const follower = options.follow ? writer.follow(options.signal) : undefined;
    try {
      await writer.settled();
      yield* readLines(writer.path, end, options.signal);
      if (follower !== undefined) yield* follower;
    } finally {
      await follower?.return(undefined);
      this.#forget(runId, writer);
    }
  }

  /** Deletes the run's file. Lines that come after it begin a new one. */
  async remove(runId: string): Promise<void> {
    const path = this.#pathOf(runId);
    await this.#writers.get(runId)?.settled();
    await rm(path, { force: true });
  }

  /** Resolves when everything appended so far is in the files. */
  async flush(): Promise<void> {
    await Promise.all([...this.#writers.values()].map((writer) => writer.settled()));
  }

  #writer(runId: string): Writer {
    let writer = this.#writers.get(runId);
    if (writer === undefined) {
      const created: Writer = new Writer(this.#pathOf(runId), this.#report, () => this.#forget(runId, created));
      writer = created;
      this.#writers.set(runId, writer);
    }
    return writer;
  }

  #pathOf(runId: string): string {
    return join(this.#directory, runId.slice(-2), `${runId}.jsonl`);
  }

  /** A writer with nothing to do holds no memory: there may be a million runs. */
  #forget(runId: string, writer: Writer): void {
    if (writer.isIdle && this.#writers.get(runId) === writer) this.#writers.delete(runId);
  }
}

/** Appends to one file in order, one write at a time; lines that arrive during a write go into the next. */
class Writer {
  readonly path: string;
  readonly #report: (message: string, cause: unknown) => void;
  readonly #onIdle: () => void;
  readonly #followers = new Set<Follower>();
  #pending: string[] = [];
  #pendingBytes = 0;
  #dropped = 0;
  #last: LogLine | undefined;
  #writing: Promise<void> | undefined;
  /** Where the file ends once everything pending is written. */
  #end: number;

  constructor(path: string, report: (message: string, cause: unknown) => void, onIdle: () => void) {
    this.path = path;
    this.#report = report;
    this.#onIdle = onIdle;
    this.#end = sizeOf(path);
    // A process that was killed may have left half a line; what follows must not be glued to it.
    if (this.#end > 0) this.#enqueue("\n");
  }

  get end(): number {
    return this.#end;
  }

  get isIdle(): boolean {
    return this.#writing === undefined && this.#followers.size === 0;
  }

  append(line: LogLine): void {
    this.#last = line;
    for (const follower of this.#followers) follower.push(line);
    const text = `${JSON.stringify(line)}\n`;
    if (this.#pendingBytes + text.length > PENDING_BYTES_MAX) {
      this.#dropped++;
      return;
    }
    this.#enqueue(text);
    this.#writing ??= this.#write();
  }

  #enqueue(text: string): void {
    const bytes = Buffer.byteLength(text);
    this.#pending.push(text);
    this.#pendingBytes += bytes;
    this.#end += bytes;
  }

  /** Resolves when everything appended before this call is in the file. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  follow(signal: AbortSignal): AsyncGenerator<LogLine, void> {
    const follower = new Follower(() => this.#followers.delete(follower));
    this.#followers.add(follower);
    return follower.lines(signal);
  }

  async #write(): Promise<void> {
    await mkdir(dirname(this.path), { recursive: true, mode: 0o700 });
    while (this.#pending.length > 0) {
      const text = this.#pending.join("");
      this.#pending = [];
      this.#pendingBytes = 0;
      try {
        await appendFile(this.path, text, { mode: 0o600 });
      } catch (cause) {
        this.#report(`Lines of the log ${this.path} are lost`, cause);
      }
      if (this.#dropped > 0 && this.#last !== undefined) {
        const note: LogLine = {
          ...this.#last,
          stream: "info",
          text: `${this.#dropped} lines dropped: they came faster than the disk took them.`,
        };
        this.#dropped = 0;
        this.#enqueue(`${JSON.stringify(note)}\n`);
      }
    }
    this.#writing = undefined;
    this.#onIdle();
  }
}

/** A queue between the writer and one reader. */
class Follower {
  readonly #onEnd: () => void;
  readonly #queue: LogLine[] = [];
  #wake: (() => void) | undefined;
  #missed = 0;

  constructor(onEnd: () => void) {
    this.#onEnd = onEnd;
  }

  push(line: LogLine): void {
    if (this.#queue.length >= FOLLOW_LINES_MAX) this.#missed++;
    else this.#queue.push(line);
    this.#wake?.();
  }

  async *lines(signal: AbortSignal): AsyncGenerator<LogLine, void> {
    try {
      while (true) {
        for (let line = this.#queue.shift(); line !== undefined; line = this.#queue.shift()) {
          yield line;
          if (this.#missed > 0 && this.#queue.length === 0) {
            yield {
              ...line,
              stream: "info",
              text: `${this.#missed} lines left out here: this reader is too slow; read the log again without following it.`,
            };
            this.#missed = 0;
          }
        }
        if (signal.aborted) return;
        await this.#nextLine(signal);
      }
    } finally {
      this.#onEnd();
    }
  }

  #nextLine(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        signal.removeEventListener("abort", wake);
        this.#wake = undefined;
        resolve();
      };
      this.#wake = wake;
      signal.addEventListener("abort", wake, { once: true });
      if (this.#queue.length > 0) wake();
    });
  }
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

async function* readLines(path: string, size: number, signal: AbortSignal): AsyncIterable<LogLine> {
  if (size === 0) return;
  const stream = createReadStream(path, { end: size - 1, encoding: "utf8" });
  const lines = createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY });
  try {
    for await (const text of lines) {
      if (signal.aborted) return;
      const line = parseLine(text);
      if (line !== undefined) yield line;
    }
  } finally {
    lines.close();
    stream.destroy();
  }
}

/** A line cut off by a crash is skipped: the process that died wrote it, the next one goes on behind it. */
function parseLine(text: string): LogLine | undefined {
  try {
    // Written by this class; a torn line does not parse.
    return JSON.parse(text) as LogLine;
  } catch {
    return undefined;
  }
}
