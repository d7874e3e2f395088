import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { programFile } from "../../scripts/programs.mjs";

/** As `scripts/run.mjs` starts it. */
const FLAGS = ["--disallow-code-generation-from-strings", "--disable-proto=delete", "--disable-warning=ExperimentalWarning"];
const COMPILE_CACHE = process.env["NODE_COMPILE_CACHE"];
/** What a process of a test has of our environment. Without the compile cache each one would take twice the time to start. */
export const INHERITED: Readonly<Record<string, string>> = {
  PATH: process.env["PATH"] ?? "",
  TZ: "UTC",
  ...(COMPILE_CACHE !== undefined && { NODE_COMPILE_CACHE: COMPILE_CACHE }),
};

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly error: string;
}

/** A `tutti` process of a test. */
export class TuttiProcess {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  out = "";
  error = "";
  /** All that it wrote has been read: its exit alone may be told before that. */
  #isOver = false;
  readonly #listeners = new Set<() => void>();

  constructor(directory: string, words: readonly string[], environment: Readonly<Record<string, string>> = {}) {
    this.child = spawn(process.execPath, [...FLAGS, programFile("apps/cli/src/main.ts"), ...words], {
      cwd: directory,
      env: { ...INHERITED, HOME: directory, ...environment },
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.child.stdout?.setEncoding("utf8").on("data", (text: string) => this.#add("out", text));
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => this.#add("error", text));
    this.ended = new Promise((resolve) => {
      this.child.on("close", (code, signal) => {
        this.#isOver = true;
        resolve({ code, signal, out: this.out, error: this.error });
        for (const listener of this.#listeners) listener();
      });
    });
    this.child.stdin?.end();
  }

  /** Resolves when `text` was written to either stream. Rejects when the process ends without it. */
  async says(text: string): Promise<void> {
    while (!this.out.includes(text) && !this.error.includes(text)) {
      if (this.#isOver) throw new Error(`ended without saying ${text}:\n${this.out}${this.error}`);
      await new Promise<void>((resolve) => {
        const listener = (): void => {
          this.#listeners.delete(listener);
          resolve();
        };
        this.#listeners.add(listener);
      });
    }
  }

  #add(stream: "out" | "error", text: string): void {
    this[stream] += text;
    for (const listener of this.#listeners) listener();
  }
}

/** A fresh directory with workflow files in it; data go into `.tutti` there. */
export function workDirectory(files: Readonly<Record<string, string>>): string {
  const directory = mkdtempSync(join(tmpdir(), "tutti-cli-"));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
  return directory;
}

/** Runs one command to its end. */
export function tutti(directory: string, words: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<Ended> {
  return new TuttiProcess(directory, words, environment).ended;
}
