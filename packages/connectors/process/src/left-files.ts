import { readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Token } from "@tutti/model";
import { TOKEN_VARIABLE } from "./child-environment.ts";
import { isGone, ownName } from "./seen-process.ts";

/** `tutti-TOKEN-NAMESPACE.PID.START-RANDOM`: whose attempt, or `pipes` for what is in reserve, and which process made it. */
const DIRECTORY_NAME = /^tutti-(tok_[0-9a-f]{32}|pipes)-(\d+\.\d+\.\d+)-/;

/** The beginning of the name of an attempt's directory; what is random follows. */
export function directoryPrefix(token: Token): string {
  return `tutti-${token}-${ownName()}-`;
}

/** The same of a directory with pipes in reserve. */
export function reservePrefix(): string {
  return `tutti-pipes-${ownName()}-`;
}

/** Removes what attempts of this token were started from. */
export async function removeFilesOf(token: Token): Promise<void> {
  for (const entry of await readdir(tmpdir()).catch(() => [])) {
    if (DIRECTORY_NAME.exec(entry)?.[1] === token) await rm(join(tmpdir(), entry), { recursive: true, force: true });
  }
}

/**
 * Removes directories of processes that are dead, so that no rendered secret stays on the disk after kill -9. A directory stays while any
 * process carries its token: a process that was started with `await: false`, or one that is not ended yet.
 */
export async function sweepLeftFiles(): Promise<void> {
  const orphaned = (await readdir(tmpdir()).catch(() => [])).filter((entry) => isGone(DIRECTORY_NAME.exec(entry)?.[2] ?? ""));
  if (orphaned.length === 0) return;
  const tokens = await tokensInUse();
  for (const entry of orphaned) {
    if (!tokens.has(DIRECTORY_NAME.exec(entry)?.[1] ?? "")) await rm(join(tmpdir(), entry), { recursive: true, force: true });
  }
}

async function tokensInUse(): Promise<ReadonlySet<string>> {
  const tokens = new Set<string>();
  for (const entry of await readdir("/proc").catch(() => [])) {
    if (!/^\d+$/.test(entry)) continue;
    const environment = await readFile(`/proc/${entry}/environ`, "latin1").catch(() => "");
    const marked = environment.split("\0").find((variable) => variable.startsWith(`${TOKEN_VARIABLE}=`));
    if (marked !== undefined) tokens.add(marked.slice(TOKEN_VARIABLE.length + 1));
  }
  return tokens;
}
