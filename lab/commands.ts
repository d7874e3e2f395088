import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

export const LAB_DIRECTORY = fileURLToPath(new URL(".", import.meta.url));
export const ROOT_DIRECTORY = fileURLToPath(new URL("..", import.meta.url));
export const LAB_STATE = process.env.LAB_STATE ?? "/var/tmp/tutti-lab";
/** Debian keeps daemons' tools in sbin, which a person's PATH may lack. */
export const TOOL_PATH = `${process.env.PATH ?? ""}:/usr/sbin:/sbin`;

/** Longest a lab command may take: the image is built by one of them on a bare machine, installation included. */
const COMMAND_TIMEOUT_MS = 600_000;

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end and returns what it said; never throws for an exit code. */
export function tryRun(
  program: string,
  args: readonly string[],
  options: { readonly input?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      env: { ...process.env, PATH: TOOL_PATH, LAB_STATE, ...options.env },
      stdio: ["pipe", "pipe", "pipe"],
      timeout: COMMAND_TIMEOUT_MS,
    });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.on("error", reject);
    // A program may end without reading its input.
    child.stdin.on("error", () => {});
    child.stdin.end(options.input ?? "");
    child.on("close", (code) => resolve({ code: code ?? 1, stdout, stderr }));
  });
}

/** Like `tryRun`, but an exit code other than 0 is an error with what the program said. */
export async function run(program: string, args: readonly string[], options: Parameters<typeof tryRun>[2] = {}): Promise<string> {
  const result = await tryRun(program, args, options);
  if (result.code !== 0)
    throw new Error(`${program} ${args.join(" ")} ended with ${result.code}: ${result.stderr.trim() || result.stdout.trim()}`);
  return result.stdout;
}

/** A lab script by name, for example `labScript("rt", "start")`. */
export function labScript(name: string, ...args: readonly string[]): Promise<string> {
  return run(`${LAB_DIRECTORY}${name}.sh`, args);
}

/** Times what the lab does, and prints each phase as it ends. */
export class Phases {
  readonly #startedMs = performance.now();

  async time<T>(name: string, work: () => Promise<T>): Promise<T> {
    const startedMs = performance.now();
    try {
      return await work();
    } finally {
      say(`${name}: ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
    }
  }

  get totalSeconds(): string {
    return ((performance.now() - this.#startedMs) / 1000).toFixed(1);
  }
}

export function say(text: string): void {
  process.stdout.write(`[lab] ${text}\n`);
}
