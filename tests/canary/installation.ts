import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JsonObject } from "@tutti/model";
import { INHERITED } from "../cli/tutti-process.ts";
import { BUNDLE_VARIABLE, programFile } from "../../scripts/programs.mjs";
import type { Canary } from "./canaries.ts";

const CLI = "apps/cli/src/main.ts";
/** Secrets that come by the environment of the process; all others are files. */
const FROM_ENVIRONMENT_MAX = 10;
/** Starting takes a second; a machine that is busy with other tests takes longer. */
const START_MS_MAX = 180_000;

/** What a process said, as bytes. */
export interface Said {
  readonly code: number | null;
  readonly text: string;
}

/** A data directory with secrets, a temporary directory of its own, a `tutti up`, and the commands that people use. */
export class Installation {
  readonly home = mkdtempSync(join(tmpdir(), "tutti-canary-"));
  readonly data = join(this.home, "data");
  readonly temporary = join(this.home, "tmp");
  /** Where `tutti up` writes its log. */
  readonly logFile = join(this.home, "up.log");
  readonly #work = join(this.home, "work");
  readonly #preload: string | undefined;
  readonly #listener: string | undefined;
  readonly #secretVariables: Record<string, string> = {};
  #up: ChildProcess | undefined;
  /** Everything that any process of it has said, by what it was. */
  readonly said = new Map<string, string>();

  /** `preload`: a module that each process loads first. `listener`: who is sent traces and lifecycle events. */
  constructor(options: { readonly preload?: string; readonly listener?: string } = {}) {
    this.#preload = options.preload;
    this.#listener = options.listener;
    mkdirSync(this.temporary);
    mkdirSync(this.#work);
    mkdirSync(join(this.data, "secrets"), { recursive: true, mode: 0o700 });
  }

  keep(canaries: readonly Canary[]): void {
    for (const [index, { name, value }] of canaries.entries()) {
      const text = typeof value === "string" ? value : JSON.stringify(value);
      if (index < FROM_ENVIRONMENT_MAX) this.#secretVariables[`TUTTI_SECRET_${name}`] = text;
      else writeFileSync(join(this.data, "secrets", name), `${text}\n`, { mode: 0o600 });
    }
  }

  /** What the operator sets; `tutti up` reads it when it starts. */
  set(settings: JsonObject): void {
    writeFileSync(join(this.data, "settings.yaml"), JSON.stringify(settings));
  }

  /** Writes a file of the user's and returns its path. */
  write(name: string, content: JsonObject): string {
    const path = join(this.#work, name);
    writeFileSync(path, JSON.stringify(content));
    return path;
  }

  async start(): Promise<void> {
    const outlets = this.#listener === undefined ? [] : ["--traces", this.#listener, "--lifecycle", `${this.#listener}/sink`];
    const words = ["up", "--data", this.data, "--log-file", this.logFile, "--log-level", "debug", ...outlets];
    const child = this.#spawn("tutti up", [process.execPath, ...process.execArgv, this.#program(), ...words]);
    this.#up = child;
    const deadlineMs = performance.now() + START_MS_MAX;
    while (!this.said.get("tutti up")?.includes(`process ${child.pid})`)) {
      if (child.exitCode !== null || performance.now() > deadlineMs)
        throw new Error(`tutti up did not start: ${this.said.get("tutti up")}`);
      await Promise.race([once(child.stderr ?? child, "data"), once(child, "exit"), deadline(deadlineMs)]);
    }
  }

  get pid(): number | undefined {
    return this.#up?.pid;
  }

  async end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const child = this.#up;
    this.#up = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill(signal);
    await exited;
  }

  /** Runs one command of the CLI to its end; with `terminal` on a terminal. */
  async tutti(words: readonly string[], how: { readonly terminal?: boolean } = {}): Promise<Said> {
    const command = [process.execPath, ...process.execArgv, this.#program(), ...words, "--data", this.data];
    // `script` of util-linux makes the terminal.
    const plain = how.terminal === true ? ["script", "-qfec", command.map((word) => `'${word}'`).join(" "), "/dev/null"] : command;
    const label = `tutti ${words.join(" ")}${how.terminal === true ? " on a terminal" : ""}`;
    const child = this.#spawn(label, plain);
    const [code] = (await once(child, "close")) as [number | null];
    return { code, text: this.said.get(label) ?? "" };
  }

  async remove(): Promise<void> {
    await this.end("SIGKILL");
    rmSync(this.home, { recursive: true, force: true });
  }

  /** What is loaded first changes the sources as they are loaded. */
  #program(): string {
    return programFile(CLI, this.#preload === undefined ? process.env : { [BUNDLE_VARIABLE]: "off" });
  }

  #spawn(label: string, [command = "", ...words]: readonly string[]): ChildProcess {
    const child = spawn(command, words, {
      cwd: this.#work,
      env: {
        ...INHERITED,
        HOME: this.home,
        TMPDIR: this.temporary,
        TERM: "xterm",
        COLUMNS: "200",
        TUTTI_DEBUG: "1",
        ...(this.#preload !== undefined && { NODE_OPTIONS: `--import=${this.#preload}` }),
        // A secret that came by the environment is known to the process that drives, and to no command.
        ...(label === "tutti up" && this.#secretVariables),
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => this.said.set(label, (this.said.get(label) ?? "") + text));
    }
    return child;
  }
}

function deadline(atMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, atMs - performance.now())).unref());
}
