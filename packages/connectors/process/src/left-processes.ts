import { readFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { Token } from "@tutti/model";
import { STARTER_VARIABLE, TOKEN_VARIABLE } from "./child-environment.ts";
import { removeFilesOf } from "./left-files.ts";
import { isGone, readProcess, type SeenProcess } from "./seen-process.ts";

/** Time for a process to put its things in order after TERM; then it is killed. */
export const TERM_GRACE_MS = 2000;
/** A killed process is gone at once, unless it hangs in the kernel (a dead network disk). */
const KILL_WAIT_MS = 5000;
const POLL_MS = 20;
/**
 * A process that forks and ends, again and again, can slip through one look at /proc. Two looks in a row that saw everything and found nothing
 * are believed; on a machine so busy that every look misses somebody, six.
 */
const QUIET_ENOUGH = 6;
const CONCLUSIVE_WEIGHT = 3;
/** In an environment that begins and ends with NUL: whose starter it is. */
const STARTER = new RegExp(`\0${STARTER_VARIABLE}=([\\d.]+)\0`);

/**
 * Ends every process that carries this token in its environment, and removes the files it was started from.
 *
 * Finds processes by /proc, so also grandchildren and those that left their process group. A child that was given a fresh environment
 * (`env -i`) is not found. Where there is no /proc nothing is done.
 *
 * @throws Error when processes survive KILL, or too much happens on the machine to be sure that none is left: the outcome of its attempt can't be decided yet.
 */
export async function endProcessesOf(token: Token): Promise<void> {
  const asked = await endAll(token, "SIGTERM", TERM_GRACE_MS);
  const { left, isQuiet } = asked.isQuiet ? asked : await endAll(token, "SIGKILL", KILL_WAIT_MS);
  if (!isQuiet) throw new Error(`Processes of ${token} do not end (last seen: ${left.map(({ pid }) => pid).join(", ") || "none"}).`);
  await removeFilesOf(token);
}

interface Ended {
  /** Nothing is left for certain; otherwise time ran out. */
  readonly isQuiet: boolean;
  /** Whom the last look saw. */
  readonly left: readonly SeenProcess[];
}

/** Signals until none is left, also those that are started meanwhile, or until `withinMs` have passed and some are still seen. */
async function endAll(token: Token, signal: "SIGTERM" | "SIGKILL", withinMs: number): Promise<Ended> {
  const deadlineMs = performance.now() + withinMs;
  const asked = new Set<string>();
  const end = (seen: SeenProcess): void => {
    if (signal === "SIGKILL") return kill(seen);
    // TERM comes once: many programs take a second one as "at once, and never mind the files".
    const name = `${seen.pid}/${seen.startTime}`;
    if (!asked.has(name)) send(seen.pid, signal);
    asked.add(name);
  };
  const empty = new Set<number>();
  let quiet = 0;
  for (;;) {
    const { found, isConclusive } = await scan(token, { end, empty, atOnce: signal === "SIGKILL" });
    quiet = found.length > 0 ? 0 : quiet + (isConclusive ? CONCLUSIVE_WEIGHT : 1);
    if (quiet >= QUIET_ENOUGH) return { isQuiet: true, left: found };
    // Time is no reason to stop looking when nobody is seen any more: on a machine that is full a look alone may take seconds.
    if (quiet === 0 && performance.now() > deadlineMs) return { isQuiet: false, left: found };
    await sleep(POLL_MS);
  }
}

/** Kills a process with its group: the kernel lets no member fork past that. An attempt's group holds nothing but its own processes. */
function kill({ pid, group }: SeenProcess): void {
  if (group > 1 && group !== readProcess(process.pid)?.group) send(-group, "SIGKILL");
  send(pid, "SIGKILL");
}

function send(target: number, signal: "SIGTERM" | "SIGKILL"): void {
  try {
    process.kill(target, signal);
  } catch (error) {
    // ESRCH: it has ended by itself. EPERM: it became another user's; the caller finds it still there.
    if (!(error instanceof Error && "code" in error && (error.code === "ESRCH" || error.code === "EPERM"))) throw error;
  }
}

interface Scan {
  readonly found: readonly SeenProcess[];
  /** False when a process ended between being listed and being read: it may have been one of these and have started the next. */
  readonly isConclusive: boolean;
}

/**
 * A starter whose Tutti is gone may still hold an order of it, and carry it out after everything else of the attempt was ended. So may what it is just
 * making another process of, which still looks like it.
 */
function isOrphanedStarter(variables: string): boolean {
  const owner = STARTER.exec(variables)?.[1];
  return owner !== undefined && isGone(owner);
}

/**
 * Looks at all processes, the newest first, and calls `end` with each that carries the token in the moment it is seen. `empty` remembers over
 * several looks whose environment was empty: kernel threads and old zombies always are, another one has just ended. `atOnce` reads without
 * letting go of the thread (some ms), so that what forks and ends quickly is still there when it is killed.
 */
async function scan(
  token: Token,
  how: { readonly end: (seen: SeenProcess) => void; readonly empty: Set<number>; readonly atOnce: boolean },
): Promise<Scan> {
  const entries = await readdir("/proc").catch(() => []);
  const pids = entries.map(Number).filter((pid) => Number.isInteger(pid) && pid !== process.pid);
  const found: SeenProcess[] = [];
  let isConclusive = true;
  const look = async (pid: number): Promise<void> => {
    const path = `/proc/${pid}/environ`;
    try {
      const environment = how.atOnce ? readFileSync(path, "latin1") : await readFile(path, "latin1");
      if (environment === "" && !how.empty.has(pid)) {
        how.empty.add(pid);
        isConclusive = false;
      }
      const variables = `\0${environment}`;
      if (isOrphanedStarter(variables)) {
        isConclusive = false;
        send(pid, "SIGKILL");
        return;
      }
      if (!variables.includes(`\0${TOKEN_VARIABLE}=${token}\0`)) return;
    } catch (error) {
      // Other users' processes can't be read, and are no children of ours.
      if (!(error instanceof Error && "code" in error && error.code === "EACCES")) isConclusive = false;
      return;
    }
    const seen = readProcess(pid);
    if (seen === undefined) isConclusive = false;
    else {
      found.push(seen);
      how.end(seen);
    }
  };
  await Promise.all(pids.toReversed().map(look));
  return { found, isConclusive };
}
