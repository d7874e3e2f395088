import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BUNDLE_VARIABLE } from "../../scripts/programs.mjs";
import { type Bug, BUG_VARIABLE, NOTE_VARIABLE } from "./bug.ts";
import { filesOf, ROOT } from "./carried.ts";

/** After the signal that asks, before the one that does not. */
const GRACE_MS = 5000;
/** Enough of an output to see what went wrong. */
const TAIL_LENGTH = 4000;

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  /** The end of everything it wrote, for a message. */
  readonly tail: string;
  readonly isOverdue: boolean;
}

/** What a process of a bug is given beside its arguments. */
export interface Carrier {
  readonly environment: Readonly<Record<string, string>>;
  /** Files of the bug that no process has loaded. */
  unloaded(): readonly string[];
}

/** Options of Node that put the bug into a process, its threads and, by `NODE_OPTIONS`, its children. */
export const REGISTER = ["--import", join(import.meta.dirname, "register.ts")] as const;

/** Lends the environment that puts the bug into processes; `use` is over when they are. */
export async function withBug<T>(bug: Bug, use: (carrier: Carrier) => Promise<T>): Promise<T> {
  const home = mkdtempSync(join(tmpdir(), "tutti-planted-"));
  const note = join(home, "loaded");
  try {
    return await use({
      environment: {
        [BUG_VARIABLE]: bug.name,
        [NOTE_VARIABLE]: note,
        [BUNDLE_VARIABLE]: "off",
        // Ours is shared by all processes: each would find the sources of another bug in it, and write it anew.
        NODE_COMPILE_CACHE: join(ROOT, "node_modules/.cache/planted"),
      },
      unloaded: () => {
        const loaded = new Set(linesOf(note));
        return filesOf(bug).filter((file) => !loaded.has(file));
      },
    });
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

function linesOf(file: string): readonly string[] {
  try {
    return readFileSync(file, "utf8").split("\n");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

/** Runs our Node with these arguments in the project's root. Resolves when it has ended; it is ended when its time is over. */
export function runNode(
  args: readonly string[],
  options: { readonly environment: Readonly<Record<string, string>>; readonly limitMs: number },
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, {
      cwd: ROOT,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: undefined, ...options.environment },
    });
    const stdout: Buffer[] = [];
    const all: Buffer[] = [];
    let isOverdue = false;
    child.stdout.on("data", (chunk: Buffer) => {
      stdout.push(chunk);
      all.push(chunk);
    });
    child.stderr.on("data", (chunk: Buffer) => all.push(chunk));
    const timer = setTimeout(() => {
      isOverdue = true;
      child.kill("SIGTERM");
      setTimeout(() => child.kill("SIGKILL"), GRACE_MS).unref();
    }, options.limitMs);
    child.once("error", reject);
    child.once("close", (code) => {
      clearTimeout(timer);
      const text = Buffer.concat(all).toString("utf8");
      resolve({ code, stdout: Buffer.concat(stdout).toString("utf8"), tail: text.slice(-TAIL_LENGTH), isOverdue });
    });
  });
}
