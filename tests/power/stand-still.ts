import type { ChildProcess } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

/**
 * A stop takes microseconds, but a thread takes no notice of it as long as a sync of it goes on in the kernel, which may be many seconds on a slow
 * disk. A process that runs on for this long cannot be stopped.
 */
const STOPPED_MS_MAX = 120_000;

/**
 * Stops the process at once, all its threads: none of them executes an instruction of its own any more. System calls under way, such as a sync,
 * go on in the kernel and are not waited for. A process that is gone already is still, too.
 */
export async function standStill(child: ChildProcess): Promise<void> {
  child.kill("SIGSTOP");
  const deadline = performance.now() + STOPPED_MS_MAX;
  while (child.exitCode === null && child.signalCode === null) {
    const states = threadStates(child.pid ?? 0);
    // The first thread that stops has told the others; one that is in no system call is running still.
    if (states.includes("T") && !states.includes("R")) return;
    if (performance.now() > deadline) throw new Error(`The process does not stop: its threads are ${states.join("")}.`);
    await new Promise(setImmediate);
  }
}

/** One letter a thread, as in proc(5): `T` stopped, `R` running, `D` in a system call that can't be interrupted. */
function threadStates(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map((thread) => {
      const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, "utf8");
      // The name in brackets may hold spaces.
      return stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3);
    });
  } catch {
    // It ended between two looks.
    return [];
  }
}
