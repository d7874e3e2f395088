import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { type FileHandle, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { OUTPUT_BYTES_MAX } from "./output-capture.ts";

/** Where descriptors begin that are no standard stream. */
const FIRST_FILE = 3;

export interface ProgramEnd {
  readonly kind: "ended";
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}
export type ProgramResult =
  | ProgramEnd
  /** Nothing was run; `code` is the system's. */
  | { readonly kind: "not-started"; readonly code: string }
  /** By a signal: ours after an abort or the time limit, or somebody's. */
  | { readonly kind: "killed" }
  | { readonly kind: "too-much"; readonly bytesMax: number };

export interface ProgramOptions {
  /** What it reads on its standard input, a file that can be opened once more by its path (`/dev/stdin`). */
  readonly input: string | Uint8Array;
  /** More files without a name; the program reads the first at `programFile(0)`. */
  readonly files?: readonly (string | Uint8Array)[];
  /** All that it gets: nothing of this process's own environment goes along by itself. */
  readonly environment: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * Runs a program to its end, without a shell; an abort or the time limit ends it with all that it has started. What it says is kept up to 16 MiB.
 * Inputs and files never have a name in the file system, so that nothing of them is left behind and nobody else can read them.
 */
export async function runProgram(words: readonly string[], options: ProgramOptions): Promise<ProgramResult> {
  const files: FileHandle[] = [];
  try {
    for (const content of [options.input, ...(options.files ?? [])]) files.push(await inputFile(content));
    return await runOn(files, words, options);
  } finally {
    for (const file of files) await file.close();
  }
}

/** The path at which a program reads the file of this place in `files`, from 0. */
export function programFile(place: number): string {
  return `/proc/self/fd/${FIRST_FILE + place}`;
}

/**
 * A file without a name, to be read from its beginning. Node's own pipes are sockets, and programs such as nft and virsh open their standard input once
 * more by its path, which does not work with a socket.
 */
async function inputFile(content: string | Uint8Array): Promise<FileHandle> {
  const path = join(tmpdir(), `tutti-input-${randomUUID()}`);
  const file = await open(path, "wx+", 0o600);
  try {
    // Before there is anything in it, so that nothing is left behind in a file.
    await rm(path);
    // Written at a position, which leaves the place where reading begins.
    const bytes = typeof content === "string" ? Buffer.from(content) : content;
    for (let at = 0; at < bytes.length;) at += (await file.write(bytes, at, bytes.length - at, at)).bytesWritten;
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

function runOn([input, ...files]: readonly FileHandle[], words: readonly string[], options: ProgramOptions): Promise<ProgramResult> {
  const { environment, timeoutMs, signal } = options;
  const [program = "", ...rest] = words;
  // A group of its own, so that it can be ended as a whole.
  const child = spawn(program, rest, {
    env: environment,
    stdio: [input?.fd ?? "ignore", "pipe", "pipe", ...files.map(({ fd }) => fd)],
    detached: true,
  });
  const kill = (): void => killGroup(child);
  const timer = setTimeout(kill, timeoutMs);
  signal.addEventListener("abort", kill, { once: true });
  return new Promise<ProgramResult>((resolve) => {
    const output = { stdout: [] as Buffer[], stderr: [] as Buffer[], bytes: 0 };
    const take = (stream: "stdout" | "stderr", chunk: Buffer): void => {
      output.bytes += chunk.length;
      if (output.bytes > OUTPUT_BYTES_MAX) kill();
      else output[stream].push(chunk);
    };
    child.stdout?.on("data", (chunk: Buffer) => take("stdout", chunk));
    child.stderr?.on("data", (chunk: Buffer) => take("stderr", chunk));
    child.once("error", (error: NodeJS.ErrnoException) => {
      if (child.pid === undefined) resolve({ kind: "not-started", code: error.code ?? error.message });
    });
    child.once("close", (code) => {
      const text = (parts: readonly Buffer[]): string => Buffer.concat(parts).toString("utf8");
      if (output.bytes > OUTPUT_BYTES_MAX) resolve({ kind: "too-much", bytesMax: OUTPUT_BYTES_MAX });
      else if (code === null) resolve({ kind: "killed" });
      else resolve({ kind: "ended", code, stdout: text(output.stdout), stderr: text(output.stderr) });
    });
    if (signal.aborted) kill();
  }).finally(() => {
    clearTimeout(timer);
    signal.removeEventListener("abort", kill);
  });
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}
