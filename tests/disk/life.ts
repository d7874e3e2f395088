import { spawn } from "node:child_process";
import { programFile } from "../../scripts/programs.mjs";

const WORKER = "tests/disk/worker.ts";
/** Far above what a life takes on a loaded machine. */
const LIFE_MS_MAX = 300_000;

/** What may fail in a life, in libfiu's words; strace is used where faults begin at the k-th call. */
export type Faults =
  | { readonly by: "none" }
  | { readonly by: "fiu"; readonly points: readonly { readonly name: string; readonly probability: number; readonly errno: number }[] }
  | { readonly by: "strace"; readonly calls: string; readonly errno: "EIO" | "ENOSPC"; readonly from: number };

export interface LifeOptions {
  readonly directory: string;
  readonly order: "honest" | "ack-first" | "ack-errors";
  readonly commits: number;
  readonly place: "main" | "worker";
  readonly faults: Faults;
  /** Told every line as it comes. */
  readonly onLine?: (line: string) => void;
}

export interface Life {
  readonly lines: readonly string[];
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderr: string;
}

/** Runs one process to its end under the faults given. */
export function live(options: LifeOptions): Promise<Life> {
  const { directory, order, commits, place, faults } = options;
  const [command, ...words] = [
    ...prefixOf(faults),
    process.execPath,
    ...process.execArgv,
    programFile(WORKER),
    directory,
    order,
    String(commits),
    place,
  ];
  return new Promise((resolve, reject) => {
    const child = spawn(command, words, { stdio: ["ignore", "pipe", "pipe"], timeout: LIFE_MS_MAX, killSignal: "SIGKILL" });
    let text = "";
    let stderr = "";
    let told = 0;
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
      const lines = text
        .slice(0, text.lastIndexOf("\n") + 1)
        .split("\n")
        .slice(0, -1);
      for (const line of lines.slice(told)) options.onLine?.(line);
      told = lines.length;
    });
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      stderr += chunk;
    });
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ lines: text.split("\n").filter((line) => line !== ""), code, signal, stderr }));
  });
}

function prefixOf(faults: Faults): readonly string[] {
  switch (faults.by) {
    case "none":
      return [];
    case "fiu":
      return [
        "fiu-run",
        "-x",
        "-f",
        "",
        ...faults.points.flatMap(({ name, probability, errno }) => [
          "-c",
          `enable_random name=${name},probability=${probability},failinfo=${errno}`,
        ]),
      ];
    case "strace":
      // `-D`: the process itself is our child, and its exit code its own.
      return [
        "strace",
        "-D",
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        `trace=${faults.calls}`,
        "-e",
        `inject=${faults.calls}:error=${faults.errno}:when=${faults.from}+`,
      ];
  }
}
