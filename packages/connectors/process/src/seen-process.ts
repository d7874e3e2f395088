import { readFileSync, readlinkSync } from "node:fs";

/** A process as /proc shows it. */
export interface SeenProcess {
  readonly pid: number;
  /** In clock ticks since boot: with the pid it names one process, also when the pid is used again. */
  readonly startTime: string;
  readonly group: number;
}

/** Read without waiting: between this and a signal nothing else of ours runs, so that the pid hardly can have changed hands. */
export function readProcess(pid: number): SeenProcess | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // proc(5); the name in field 2 may contain spaces and parentheses, so count from its end: fields 3 and up.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return { pid, group: Number(fields[2]), startTime: fields[19] ?? "" };
  } catch {
    return undefined;
  }
}

/** Names this process among all of the machine, also of containers with pids of their own: `NAMESPACE.PID.START`. */
export function ownName(): string {
  return `${pidNamespace()}.${process.pid}.${readProcess(process.pid)?.startTime ?? "0"}`;
}

/** Whether the process of this name was one of our own namespace and is gone. Of other namespaces nothing can be known from here. */
export function isGone(name: string): boolean {
  const [namespace, pid, startTime] = name.split(".");
  return pid !== undefined && namespace === pidNamespace() && readProcess(Number(pid))?.startTime !== startTime;
}

function pidNamespace(): string {
  try {
    // `pid:[4026531836]`
    return readlinkSync("/proc/self/ns/pid").replaceAll(/\D/g, "");
  } catch {
    return "0";
  }
}
