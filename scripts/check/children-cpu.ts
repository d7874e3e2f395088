import { readFileSync } from "node:fs";

/** Linux counts processor time in hundredths of a second for programs, whatever the kernel's own beat. */
const TICK_MS = 10;
/** Places of `cutime` and `cstime` in /proc/PID/stat, counted from the field after the name (proc(5), fields 16 and 17). */
const CUTIME = 13;

let seenMs = childrenCpuMs();

/**
 * Processor time in milliseconds of the children that ended since the last call, with all that they waited for themselves. Called in the moment
 * a child's end is told, it is that child's. 0 where there is no /proc.
 */
export function cpuOfEndedChild(): number {
  const nowMs = childrenCpuMs();
  const spentMs = nowMs - seenMs;
  seenMs = nowMs;
  return spentMs;
}

function childrenCpuMs(): number {
  let stat: string;
  try {
    stat = readFileSync("/proc/self/stat", "utf8");
  } catch {
    return 0;
  }
  // The name stands in parentheses and may hold anything.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[CUTIME]) + Number(fields[CUTIME + 1])) * TICK_MS;
}
