import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { programFile } from "../scripts/programs.mjs";
import { TOOL_PATH } from "./commands.ts";
import { DNS_KEY, TICKET_LOGIN } from "./systems.ts";

export interface TuttiResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface TuttiOptions {
  readonly environment?: Readonly<Record<string, string>>;
  /** Shows what the process says as it comes. */
  readonly isShown?: boolean;
}

/** The `tutti` command on a data directory of its own, each time as a process of its own. */
export class Tutti {
  readonly #dataDirectory: string;
  readonly #running = new Set<ChildProcess>();

  constructor(dataDirectory: string) {
    this.#dataDirectory = dataDirectory;
    const secrets = join(dataDirectory, "secrets");
    mkdirSync(secrets, { recursive: true, mode: 0o700 });
    writeFileSync(join(secrets, "ticketing"), JSON.stringify(TICKET_LOGIN), { mode: 0o600 });
    writeFileSync(join(secrets, "dnsApiKey"), DNS_KEY, { mode: 0o600 });
  }

  /** Starts the command and goes on; `ended` says what became of it. */
  spawn(args: readonly string[], options: TuttiOptions = {}): { readonly child: ChildProcess; readonly ended: Promise<TuttiResult> } {
    // The flags of this process are those that every process of Tutti runs under.
    const child = spawn(process.execPath, [...process.execArgv, programFile("apps/cli/src/main.ts"), ...args], {
      env: { ...process.env, PATH: TOOL_PATH, TUTTI_DATA: this.#dataDirectory, ...options.environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#running.add(child);
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
      if (options.isShown) process.stdout.write(text);
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
      if (options.isShown) process.stderr.write(text);
    });
    const ended = new Promise<TuttiResult>((resolve, reject) => {
      child.on("error", reject);
      // Not `close`: a program that a killed process left behind may still hold the pipes.
      child.on("exit", (code, signal) => {
        this.#running.delete(child);
        setImmediate(() => resolve({ code, signal, stdout, stderr }));
      });
    });
    return { child, ended };
  }

  run(args: readonly string[], options: TuttiOptions = {}): Promise<TuttiResult> {
    return this.spawn(args, options).ended;
  }

  /** The answer of a command with `--json`. */
  async json(args: readonly string[]): Promise<unknown> {
    const result = await this.run([...args, "--json"]);
    if (result.code !== 0) throw new Error(`tutti ${args.join(" ")} ended with ${result.code ?? result.signal}: ${result.stderr.trim()}`);
    return JSON.parse(result.stdout);
  }

  /** Ends what is still running, in order. */
  async stop(): Promise<void> {
    await Promise.all(
      [...this.#running].map(async (child) => {
        const exited = new Promise((resolve) => child.once("exit", resolve));
        child.kill("SIGTERM");
        await exited;
      }),
    );
  }
}
