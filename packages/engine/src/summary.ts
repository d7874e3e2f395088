import { subscriptionsOf } from "./listen.ts";
import { lookUpCommand, startAttemptCommand } from "./call.ts";
import type { EffectClass, Json, TaskError } from "@tutti/model";
import type { Command } from "./command.ts";
import type { EngineContext } from "./context.ts";
import { Machine } from "./machine.ts";
import { hasEnding } from "./detached.ts";
import { RUN_FRAME, type RunState, type CallState } from "./state.ts";
import { earliestTimer } from "./timers.ts";
import { isHeldBack } from "./standstill.ts";

/** What the run row and the runtime need to know of a run. */
export interface RunSummary {
  readonly status: "running" | "waiting" | "suspended" | "faulted" | "completed" | "cancelled" | "quarantined";
  /** Earliest timer, unless the run is at rest. */
  readonly wakeAtMs: number | undefined;
  /** A restarted owner must load the run: something was sent, or asked for, that it has to look after. */
  readonly isOutstanding: boolean;
  /** Nothing is in flight: the run may leave the memory. */
  readonly isParked: boolean;
  readonly inDoubt: number;
  readonly errorType: string | undefined;
  /** One sentence for lists: what the run waits for, or why it faulted. */
  readonly reason: string | undefined;
  readonly output: Json | undefined;
  readonly error: TaskError | undefined;
  readonly startedAtMs: number;
  readonly endedAtMs: number | undefined;
}

/** Cheap: reads counts, not tasks. */
export function summarize(state: RunState): RunSummary {
  const { counts, phase } = state;
  const inFlight = counts.running + counts["looking-up"] > 0 || hasEnding(state);
  const isActive = phase === "active" || phase === "cancelling";
  const doubts = counts["in-doubt"] + state.doubts;
  return new Summary(state, {
    status: statusOf(state),
    isOutstanding: inFlight || (isActive && counts.child + counts.queued > 0),
    isParked: !inFlight,
    inDoubt: doubts,
  });
}

/** A class, since an object with a getter of its own is made ten times slower than one whose getter is the prototype's. */
class Summary implements RunSummary {
  readonly status: RunSummary["status"];
  readonly wakeAtMs: number | undefined;
  readonly isOutstanding: boolean;
  readonly isParked: boolean;
  readonly inDoubt: number;
  readonly errorType: string | undefined;
  readonly output: Json | undefined;
  readonly error: TaskError | undefined;
  readonly startedAtMs: number;
  readonly endedAtMs: number | undefined;
  readonly #state: RunState;

  constructor(state: RunState, given: Pick<RunSummary, "status" | "isOutstanding" | "isParked" | "inDoubt">) {
    this.status = given.status;
    this.wakeAtMs = state.phase === "active" ? wakeAtMs(state) : undefined;
    this.isOutstanding = given.isOutstanding;
    this.isParked = given.isParked;
    this.inDoubt = given.inDoubt;
    this.errorType = state.error?.type;
    this.output = state.phase === "completed" ? state.output : undefined;
    this.error = state.error;
    this.startedAtMs = state.startedAtMs;
    this.endedAtMs = state.endedAtMs;
    this.#state = state;
  }

  /** Read only when the row is written: building the sentence for every step would cost more than the rest of the summary. */
  get reason(): string | undefined {
    return reasonOf(this.#state, this.inDoubt);
  }
}

/** Of a suspended run only what may fire: a limit that stands still would wake it again and again. */
function wakeAtMs(state: RunState): number | undefined {
  if (state.standsSinceMs === undefined) return earliestTimer(state);
  const due = [...state.timers.values()].filter((timer) => !isHeldBack(state, timer)).map((timer) => timer.dueAtMs);
  return due.length === 0 ? undefined : Math.min(...due);
}

function statusOf(state: RunState): RunSummary["status"] {
  const { phase, counts } = state;
  if (phase === "cancelling") return "running";
  if (phase !== "active") return phase;
  if (state.isPaused) return "suspended";
  return counts.running + counts["looking-up"] > 0 ? "running" : "waiting";
}

function reasonOf(state: RunState, doubts: number): string | undefined {
  const { counts, phase } = state;
  if (phase === "faulted") return state.error?.title;
  if (phase === "quarantined") return "took the process down three times in a row";
  const parts = [
    [doubts, "in doubt"],
    [counts.failed, "failed"],
    [counts.running, "in flight"],
    [counts["looking-up"], "looked up"],
    [counts.waiting, "waiting for time"],
    [counts.listening, "waiting for events"],
    [counts.child, "waiting for another run"],
    [counts.queued, "waiting for a slot"],
    [counts.held, "held"],
  ] as const;
  const text = parts.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`);
  return phase === "completed" || phase === "cancelled" ? (doubts > 0 ? text[0] : undefined) : text.join(", ") || undefined;
}

/**
 * After a load: attempts that were sent and whose end nobody will report. `read` attempts are simply sent again (`outstandingCommands`), unless
 * they had been asked to stop: nobody would ask the new one.
 */
export function lostAttempts(
  state: RunState,
  context: EngineContext,
): readonly {
  readonly task: number;
  readonly path: string;
  readonly attempt: number;
  readonly token: string;
  readonly function: string;
  readonly effect: EffectClass;
}[] {
  const lost = [];
  for (const task of state.tasks.values()) {
    if (task.phase !== "running" || task.call === undefined || isSentAgain(task.call)) continue;
    const node = context.program.nodes[task.node];
    if (node?.kind !== "call") continue;
    const { attempt, token, effect } = task.call;
    lost.push({ task: task.id, path: node.path, attempt, token, function: node.function, effect });
  }
  for (const detached of state.detached.values()) if (detached.status === "ending") lost.push(detached);
  return lost;
}

function isSentAgain(call: CallState): boolean {
  return call.effect === "read" && call.aborting === undefined;
}

/**
 * After a load: commands whose carrying-out must be under way again. All are harmless when repeated: reads, look-ups, timers, subscriptions
 * (the backlog is looked through again), slots, children.
 */
export function outstandingCommands(state: RunState, context: EngineContext): readonly Command[] {
  const machine = new Machine(state, context);
  const commands: Command[] = [];
  if (state.phase === "active")
    for (const timer of state.timers.values()) commands.push({ type: "set-timer", timer: timer.id, dueAtMs: timer.dueAtMs });
  for (const task of state.tasks.values()) {
    if (task.phase === "running" && task.call !== undefined && isSentAgain(task.call)) commands.push(startAttemptCommand(machine, task));
    else if (task.phase === "looking-up") commands.push(lookUpCommand(machine, task));
    else if (task.phase === "queued" && task.slotKey !== undefined) {
      const concurrency = task.id === RUN_FRAME ? context.program.concurrency : machine.node(task).concurrency;
      if (concurrency !== undefined)
        commands.push({
          type: "acquire-slot",
          task: task.id,
          key: task.slotKey,
          limit: concurrency.limit,
          onConflict: concurrency.onConflict,
        });
    } else if (task.phase !== "failed" && task.frame?.kind === "listen" && !task.frame.isOver) {
      const node = machine.node(task);
      if (node.kind === "listen") commands.push({ type: "subscribe", task: task.id, filters: subscriptionsOf(node) });
    }
  }
  return commands;
}
