import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const CHILD = fileURLToPath(new URL("./writer-child.ts", import.meta.url));
/** Only stops what hangs: on a slow disk each of several hundred syncs may take a tenth of a second. */
const CHILD_TIMEOUT_MS = 300_000;

export interface WriterRun {
  readonly lines: readonly string[];
  readonly code: number | null;
}

/**
 * Runs the writer child until it ends, or until `killAfter` (given the lines so far at each new one) asks for kill -9.
 *
 * @param prefix a command that starts it, such as strace with its options.
 */
export function runWriter(options: {
  readonly directory: string;
  readonly order: "commit" | "ack-first";
  readonly place: "main" | "worker" | "policy";
  readonly killAfter?: (acknowledged: number) => number | undefined;
  readonly prefix?: readonly string[];
}): Promise<WriterRun> {
  const { directory, order, place, killAfter, prefix = [] } = options;
  const [command, ...rest] = [...prefix, process.execPath, CHILD, directory, order, place];
  return new Promise((resolve, reject) => {
    const child = spawn(command ?? process.execPath, rest, {
      stdio: ["ignore", "pipe", "inherit"],
      timeout: CHILD_TIMEOUT_MS,
      killSignal: "SIGKILL",
    });
    let text = "";
    let isDoomed = false;
    child.stdout.setEncoding("utf8");
    child.stdout.on("data", (chunk: string) => {
      text += chunk;
      const delayMs = isDoomed ? undefined : killAfter?.(acknowledgements(text.split("\n")).length);
      if (delayMs === undefined) return;
      isDoomed = true;
      if (delayMs === 0) child.kill("SIGKILL");
      else setTimeout(() => child.kill("SIGKILL"), delayMs);
    });
    child.on("error", reject);
    child.on("close", (code) => resolve({ lines: text.split("\n").filter((line) => line !== ""), code }));
  });
}

/** The acknowledgements among a child's lines: run number and sequence. A line that the kill cut off says nothing. */
export function acknowledgements(lines: readonly string[]): readonly { readonly number: number; readonly seq: number }[] {
  return lines.flatMap((line) => {
    const match = /^(\d+) (\d+)$/.exec(line);
    return match === null ? [] : [{ number: Number(match[1]), seq: Number(match[2]) }];
  });
}
