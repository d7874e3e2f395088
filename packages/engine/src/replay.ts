import { AppError, assert, jsonEqual, type Json } from "@tutti/model";
import { advance, createRun, type Fact } from "./advance.ts";
import type { EngineContext } from "./context.ts";
import type { Observer } from "./observer.ts";
import type { RunRecord } from "./record.ts";
import { RUN_FRAME, type RunState, type Task } from "./state.ts";
import { addTimerToHeap } from "./timers.ts";

/** Snapshots of another version are ignored and the state is rebuilt from the records: a snapshot is a cache, never the truth. */
export const ENGINE_VERSION = 6;

/**
 * Rebuilds a run by feeding its facts again, from the beginning or on from `state` (which is changed). The intents that follow must be the ones
 * recorded; otherwise the records belong to another document or engine, and `history-mismatch` names the first difference.
 */
export function replay(records: readonly RunRecord[], context: EngineContext, from?: RunState, observer?: Observer): RunState {
  let state = from;
  for (let index = 0; index < records.length;) {
    const record = records[index] as RunRecord;
    let produced: readonly RunRecord[];
    if (record.type === "run-started") {
      if (state !== undefined) throw mismatch(index, "a run starts once");
      const created = createRun(record, context, observer);
      state = created.state;
      produced = created.records;
    } else {
      if (state === undefined) throw mismatch(index, "a run begins with run-started");
      if (record.type === "attempt-intended") throw mismatch(index, "an intent was recorded that does not follow");
      produced = advance(state, record satisfies Fact, context, observer).records;
    }
    if (produced.length === 0) throw mismatch(index, `${record.type} does not apply`);
    produced.forEach((expected, offset) => {
      const recorded = records[index + offset];
      // The last batch of records may have been cut by the caller (time travel): what is not there is not compared.
      if (recorded !== undefined && !jsonEqual(plain(expected), plain(recorded)))
        throw mismatch(index + offset, `${recorded.type} is recorded, ${expected.type} follows`);
    });
    index += produced.length;
  }
  assert(state !== undefined, "a run has records");
  return state;
}

/** Records compare as what is stored of them: members that are undefined are not there. */
function plain(record: RunRecord): Json {
  return JSON.parse(JSON.stringify(record)) as Json;
}

function mismatch(index: number, what: string): AppError {
  return new AppError("history-mismatch", `the run's records do not replay: record ${index + 1}: ${what}`, {
    details: { record: index + 1 },
  });
}

/** The state as text; `deserializeState` gives an equal state. */
export function serializeState(state: RunState): string {
  return JSON.stringify({
    ...state,
    tasks: [...state.tasks.values()],
    timers: [...state.timers.values()],
    // The heap only speeds up the search among the timers; it is made again from them.
    timerHeap: [],
    consumed: [...state.consumed],
    detached: [...state.detached.values()],
    // Not made again from the attempts: of several of one effect, which one counts depends on what became of the others.
    detachedByEffect: [...state.detachedByEffect],
    undos: [...state.undos],
  });
}

export function deserializeState(text: string): RunState {
  // Only `serializeState` writes these texts, and the store checks that they are undamaged.
  const raw = JSON.parse(text) as Omit<RunState, "tasks" | "timers" | "consumed" | "detached" | "detachedByEffect" | "undos"> & {
    tasks: Task[];
    timers: RunState["timers"] extends Map<number, infer T> ? T[] : never;
    consumed: [number, number][];
    detached: RunState["detached"] extends Map<number, infer D> ? D[] : never;
    detachedByEffect: [string, number][];
    undos: RunState["undos"] extends Map<string, infer U> ? [string, U][] : never;
  };
  const state: RunState = {
    ...raw,
    tasks: new Map(raw.tasks.map((task) => [task.id, task])),
    timers: new Map(raw.timers.map((timer) => [timer.id, timer])),
    timerHeap: [],
    consumed: new Map(raw.consumed),
    detached: new Map(raw.detached.map((detached) => [detached.task, detached])),
    detachedByEffect: new Map(raw.detachedByEffect),
    undos: new Map(raw.undos),
  };
  for (const timer of state.timers.values()) addTimerToHeap(state, timer);
  assert(state.tasks.has(RUN_FRAME), "a run has its own frame");
  return state;
}
