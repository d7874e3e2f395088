import type { Json } from "@tutti/model";
import { callNode } from "./arguments.ts";
import { effectFound, sentBy, unknownOutcome } from "./call.ts";
import { addDetached, effectKeyOf, removeDetached } from "./detached.ts";
import type { Machine } from "./machine.ts";
import type { AttemptEnded } from "./record.ts";
import type { CallState, Detached, LedgerEntry, Task } from "./state.ts";
import { keepUndo, undoOf } from "./undos.ts";

/** Attempts whose task is gone: what is kept of them, and what their end means. How a repetition takes them over: `takesOver` in `call.ts`. */

/** Takes the attempt of a task that is going away out of it: its end is still awaited, and a doubt about it is kept. */
export function detachCall(machine: Machine, task: Task, isKilled: boolean): void {
  const { call } = task;
  if (call === undefined || !isEffectOpen(task, call)) return;
  if (task.phase === "running") machine.command({ type: "abort-attempt", task: task.id, reason: "cancelled" });
  const node = callNode(machine, task);
  if (call.effect === "read" && isKilled) return;
  // What may be repeated leaves no doubt; only an attempt under way is still to be awaited.
  if ((call.effect === "read" || call.effect === "idempotent") && task.phase !== "running") return;
  addDetached(machine.state, {
    task: task.id,
    path: node.path,
    token: call.token,
    effectKey: effectKeyOf(task, call, node),
    function: node.function,
    effect: call.effect,
    attempt: call.attempt,
    sinceMs: machine.now,
    key: task.key,
    group: task.group,
    retryFrames: retryFramesOf(machine, task),
    sentByMs: call.sentByMs,
    successor: 0,
    settledOutput: undefined,
    undo: undoOf(machine, task),
    status: isKilled || task.phase !== "running" ? "in-doubt" : "ending",
    reason: isKilled ? "cancelled" : undefined,
  });
}

/**
 * Whether it is unknown at this moment if the call's effect happened. A task that is active and has no tasks looking for the effect has just
 * given its error to a `catch`: the author has been told.
 */
function isEffectOpen(task: Task, call: CallState): boolean {
  return call.isOpen && (task.phase !== "active" || task.frame !== undefined);
}

export function detachedEnded(machine: Machine, fact: AttemptEnded): boolean {
  const { detached } = machine.state;
  const ended = detached.get(fact.task);
  if (ended === undefined || ended.status !== "ending" || ended.attempt !== fact.attempt) return false;
  machine.record(fact);
  const { outcome } = fact;
  const sentByMs = sentBy(machine, ended, fact);
  noteEnd(machine, ended, sentByMs);
  removeDetached(machine.state, fact.task);
  const successor = machine.task(ended.successor);
  if (successor?.call?.token === ended.token && successor.phase === "held") {
    machine.setPhase(successor, "active");
    successor.call.sentByMs = Math.max(successor.call.sentByMs, sentByMs);
    if (outcome.kind === "completed") effectFound(machine, successor, outcome.output);
    else if (outcome.kind === "unknown") {
      successor.call.isOpen = true;
      unknownOutcome(machine, successor, "cancelled", outcome.error);
    } else {
      successor.call.mustLookUp = outcome.began;
      forgetUnknown(machine, ended);
      machine.later({ kind: "dispatch", task: successor.id });
    }
    return true;
  }
  if (outcome.kind === "completed") leaveUndo(machine, ended, outcome.output);
  if (outcome.kind === "unknown" && (ended.effect === "findable" || ended.effect === "unsafe"))
    addDetached(machine.state, { ...ended, sentByMs, status: "in-doubt", reason: outcome.reason });
  else if (outcome.kind === "completed" && ended.effect === "unsafe") rememberDetached(machine, { ...ended, sentByMs }, outcome.output);
  else if (outcome.kind === "failed") forgetUnknown(machine, ended);
  return true;
}

/** What was left behind has happened after all: it can be undone like that of a completed task. */
export function leaveUndo(machine: Machine, { undo }: Detached, output: Json): void {
  if (undo !== undefined) keepUndo(machine.state, { ...undo, output });
}

function retryFramesOf(machine: Machine, task: Task): readonly number[] {
  const frames: number[] = [];
  for (let scope = machine.task(task.retryFrame); scope?.retries !== undefined; scope = machine.task(scope.retryFrame))
    frames.push(scope.id);
  return frames;
}

function ledgerOf(machine: Machine, ended: Detached): Record<string, LedgerEntry> | undefined {
  for (const id of ended.retryFrames) {
    const retries = machine.task(id)?.retries;
    if (retries !== undefined) return retries.ledger;
  }
  return undefined;
}

/** A repetition of the block that looks for the effect has to know how late it may have been sent. */
function noteEnd(machine: Machine, ended: Detached, sentByMs: number): void {
  const ledger = ledgerOf(machine, ended);
  const entry = ledger?.[ended.key];
  if (ledger !== undefined && entry?.group === ended.group && entry.sentByMs < sentByMs) ledger[ended.key] = { ...entry, sentByMs };
}

/** The attempt has ended by a complete answer: a repetition of its block has nothing to fear from it. */
function forgetUnknown(machine: Machine, ended: Detached): void {
  const ledger = ledgerOf(machine, ended);
  const entry = ledger?.[ended.key];
  if (ledger !== undefined && entry?.group === ended.group) ledger[ended.key] = { ...entry, isUnknown: false };
}

/** An `unsafe` effect that happened after its block was given up: a repetition of the block must not do it again. */
function rememberDetached(machine: Machine, ended: Detached, output: Json): void {
  const ledger = ledgerOf(machine, ended);
  if (ledger === undefined) return;
  const { key, group, attempt, sentByMs, effect } = ended;
  ledger[key] = { group, attempts: attempt, sentByMs, effect, output, isRaw: true, isUnknown: false };
}
