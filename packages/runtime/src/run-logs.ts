import type { LogStore } from "./env.ts";
import { type WatchingDeps, waitForRun } from "./run-watching.ts";
import type { LogLine } from "./runtime.ts";

export interface LogWish {
  readonly runId: string;
  /** Path, end of a path, or number of the task; all tasks without it. */
  readonly task: string | undefined;
  readonly follow: boolean;
  readonly signal: AbortSignal;
}

/** The lines of a run, oldest first; following goes on until the run is final, and misses nothing that was written before that. */
export async function* readLogs(deps: WatchingDeps, logs: LogStore, wish: LogWish): AsyncGenerator<LogLine> {
  const isWanted = filterOf(wish.task);
  for await (const line of wish.follow ? follow(deps, logs, wish) : logs.read(wish.runId, { follow: false, signal: wish.signal })) {
    if (isWanted(line)) yield line;
  }
}

/** A log has no end of its own. When the run is final the following is ended, and what it had not yet come to is read in one go. */
async function* follow(deps: WatchingDeps, logs: LogStore, { runId, signal }: LogWish): AsyncGenerator<LogLine> {
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  let seen = 0;
  try {
    waitForRun(deps, { runId, until: "final", signal: either }).then(
      () => over.abort(),
      () => over.abort(),
    );
    try {
      for await (const line of logs.read(runId, { follow: true, signal: either })) {
        seen += 1;
        yield line;
      }
    } catch (error) {
      // A reader may end with the signal's reason: the end that was asked for.
      if (!either.aborted) throw error;
    }
    if (signal.aborted) return;
    let index = 0;
    for await (const line of logs.read(runId, { follow: false, signal })) {
      index += 1;
      if (index > seen) yield line;
    }
  } finally {
    over.abort();
  }
}

function filterOf(task: string | undefined): (line: LogLine) => boolean {
  if (task === undefined) return () => true;
  const end = task.startsWith("/") ? task : `/${task}`;
  return (line) => line.path.endsWith(end) || String(line.task) === task;
}
