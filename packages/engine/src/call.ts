import { STANDARD_VARIABLES, type CallNode, type Duration, templateNeeds } from "@tutti/definition";
import {
  assert,
  ATTEMPTS_MAX,
  type EffectClass,
  type Json,
  type JsonObject,
  type TaskError,
  taskError,
  TUTTI_ERROR_TYPE_BASE,
} from "@tutti/model";
import type { FunctionTraits } from "./context.ts";
import { argumentsWithoutSecrets, asObject, callNode, wholeArguments } from "./arguments.ts";
import { findCatcher } from "./catching.ts";
import { iterateOver } from "./iterations.ts";
import type { Machine } from "./machine.ts";
import type { AttemptEnded, LookUpEnded } from "./record.ts";
import { detachedOf, effectKeyOf, removeDetached } from "./detached.ts";
import { ABSENCE_COUNTS_FROM_THE_END, hasFlag } from "./flags.ts";
import type { AbortReason, CallState, Detached, LedgerEntry, Task } from "./state.ts";
import { failWith } from "./tasks.ts";
import { deriveKeyedToken } from "./token.ts";
import { tokenOf } from "./token-of.ts";
import { faultingScope, unwinderOf } from "./undos.ts";

/** Calls: intents, attempts, look-ups, and what each effect class does about an unknown outcome. */

/** A `read` or `idempotent` attempt whose connection was lost is repeated this often before its error goes to the workflow. */
const UNKNOWN_REPEATS_MAX = 3;
/** First pause before such a repeat, doubled each time: long enough for a restarted service to listen again. */
const UNKNOWN_REPEAT_DELAY_MS = 200;
/** Failed look-ups in a row before a person is asked. */
const LOOK_UPS_MAX = 5;
const LOOK_UP_DELAY_MS = 500;

const TASK_BIT = 1 << STANDARD_VARIABLES.indexOf("task");

/** Sends a call's next attempt, or looks its effect up first when an earlier attempt of the token may have had it. */
export function dispatchCall(machine: Machine, task: Task): void {
  const node = callNode(machine, task);
  if (isNotToBegin(machine, task)) {
    machine.fail(task, machine.runtimeError("stopped before it was done"));
    return;
  }
  if (!machine.mayDispatch(task)) {
    machine.setPhase(task, "held");
    return;
  }
  try {
    const whole = wholeArguments(machine, task);
    const traits = traitsOf(machine, task, whole);
    const known = earlierPass(machine, task);
    if (known !== undefined && task.call === undefined) task.group = Math.max(task.group, known.group);
    task.call ??= openCall(machine, task, node, traits);
    let { call } = task;
    if (known !== undefined && known.group === task.group && call.attempt === 0) {
      if (known.output !== undefined) {
        machine.later({ kind: "complete", task: task.id, output: known.output, flow: undefined, asIs: !known.isRaw });
        return;
      }
      call.attempt = known.attempts;
      call.sentByMs = known.sentByMs;
      call.mustLookUp = true;
      call.isOpen = known.isUnknown;
    }
    const earlier = detachedOf(machine.state, effectKeyOf(task, call, node));
    if (earlier === undefined) {
      if (known?.isUnknown === true && known.group === task.group && call.effect === "unsafe" && call.attempt === known.attempts) {
        // An earlier pass sent it, the block's own `catch` took the error, and still nobody knows: a repetition would be blind.
        call.isOpen = true;
        machine.setPhase(task, "in-doubt");
        return;
      }
    } else if (earlier.status === "not-done") {
      // A person says that nothing happened: what is made from here on is a new effect under a new token.
      removeDetached(machine.state, earlier.task);
      task.group = ++machine.state.groups;
      task.call = call = openCall(machine, task, node, traits);
    } else if (takesOver(machine, task, call, earlier)) return;
    if (call.effect === "findable" && call.mustLookUp && call.attempt > 0) lookUp(machine, task, node);
    else sendAttempt(machine, task, whole);
  } catch (cause) {
    failWith(machine, task, cause);
  }
}

/**
 * An earlier activation of the same effect was given up while its attempt was under way (a sibling failed, the block is repeated): its end is
 * this task's end. True when the task waits for it, is in doubt with it, or has its output.
 */
function takesOver(machine: Machine, task: Task, call: CallState, earlier: Detached): boolean {
  call.attempt = Math.max(call.attempt, earlier.attempt);
  call.sentByMs = Math.max(call.sentByMs, earlier.sentByMs);
  if (earlier.status === "ending") {
    earlier.successor = task.id;
    machine.setPhase(task, "held");
    return true;
  }
  removeDetached(machine.state, earlier.task);
  if (earlier.status === "done") {
    effectFound(machine, task, earlier.settledOutput ?? null);
    return true;
  }
  call.isOpen = true;
  call.mustLookUp = true;
  if (call.effect !== "unsafe") return false;
  machine.setPhase(task, "in-doubt");
  return true;
}

/** What an earlier pass of an enclosing block did here: an inner block that is begun anew knows nothing, the outer one that is repeated does. */
function earlierPass(machine: Machine, task: Task): LedgerEntry | undefined {
  for (let scope = machine.task(task.retryFrame); scope?.retries !== undefined; scope = machine.task(scope.retryFrame)) {
    const entry = scope.retries.ledger[task.key];
    if (entry !== undefined) return entry;
  }
  return undefined;
}

function openCall(machine: Machine, task: Task, node: CallNode, traits: FunctionTraits): CallState {
  const { state } = machine;
  let token = tokenOf(state, task);
  if (node.idempotencyKey !== undefined) {
    const key = machine.evaluator.expression(node.idempotencyKey, task.input, task);
    token = deriveKeyedToken(state.tenant, typeof key === "string" ? key : JSON.stringify(key), task.group);
  }
  return {
    token,
    // Whoever looks for an effect has none of his own, unless the author says otherwise.
    effect: task.searchFor !== 0 && node.effect === undefined ? "read" : effectOf(node, traits),
    attempt: 0,
    sentByMs: machine.now,
    lookUps: 0,
    lookUpAtMs: machine.now,
    unknowns: 0,
    aborting: undefined,
    mustLookUp: false,
    isOpen: false,
  };
}

/** The author's class goes before the function's; a `findable` effect that nobody can find is treated as what it is. */
function effectOf(node: CallNode, traits: FunctionTraits): EffectClass {
  const effect = node.effect?.class ?? traits.effect;
  return effect === "findable" && node.effect?.find === undefined && !traits.canFind ? "unsafe" : effect;
}

function traitsOf(machine: Machine, task: Task, whole: JsonObject | undefined): FunctionTraits {
  const node = callNode(machine, task);
  const traits = machine.context.functions.describe(node.function, whole ?? argumentsWithoutSecrets(machine, task, node));
  assert(traits !== undefined, `the function ${node.function} was there when the run started`);
  return traits;
}

/** What is around it is backed out, and nothing of it has happened: it is not sent any more. */
function isNotToBegin(machine: Machine, task: Task): boolean {
  return task.call?.isOpen !== true && unwinderOf(machine, task) !== undefined;
}

function sendAttempt(machine: Machine, task: Task, whole: JsonObject | undefined): void {
  const node = callNode(machine, task);
  const call = openedCall(task);
  if (isNotToBegin(machine, task)) {
    machine.fail(task, machine.runtimeError("stopped before it was done"));
    return;
  }
  if (call.attempt >= ATTEMPTS_MAX) {
    machine.fail(
      task,
      machine.runtimeError(`${node.name} was tried ${ATTEMPTS_MAX} times`, "The ceiling on attempts holds whatever a retry policy says."),
    );
    return;
  }
  call.attempt++;
  call.sentByMs = machine.now;
  call.aborting = undefined;
  call.mustLookUp = false;
  call.isOpen = true;
  machine.setPhase(task, "running");
  if (call.effect !== "read")
    machine.record({
      type: "attempt-intended",
      at: machine.now,
      task: task.id,
      path: node.path,
      token: call.token,
      attempt: call.attempt,
      function: node.function,
      effect: call.effect,
    });
  // What they say of the task itself may have changed since: its token is settled only now.
  machine.command(startAttemptCommand(machine, task, templateNeeds(node.arguments) & TASK_BIT ? undefined : whole));
}

/** Also what a restarted owner sends again for a `read`. */
export function startAttemptCommand(
  machine: Machine,
  task: Task,
  whole = wholeArguments(machine, task),
): Extract<Machine["commands"][number], { type: "start-attempt" }> {
  const node = callNode(machine, task);
  const call = openedCall(task);
  return {
    type: "start-attempt",
    task: task.id,
    path: node.path,
    token: call.token,
    attempt: call.attempt,
    function: node.function,
    taskInput: task.input,
    needsSecrets: whole === undefined,
    renderInput: renderer(machine, task, whole),
    effect: call.effect,
    ask: questionsOf(machine, task),
  };
}

/** Expressions that are asked while the attempt runs: on values that only it sees, with the task's data as it was sent. */
function questionsOf(machine: Machine, task: Task): ((question: string, value: Json) => boolean) | undefined {
  const { questions } = callNode(machine, task);
  if (questions === undefined) return undefined;
  const { evaluator } = machine;
  return (question, value) => {
    const expression = questions[question];
    assert(expression !== undefined, `the call ${callNode(machine, task).function} has a question ${question}`);
    return evaluator.condition(expression, value, task);
  };
}

export function lookUpCommand(machine: Machine, task: Task): Extract<Machine["commands"][number], { type: "look-up" }> {
  const node = callNode(machine, task);
  const call = openedCall(task);
  const whole = wholeArguments(machine, task);
  return {
    type: "look-up",
    task: task.id,
    path: node.path,
    token: call.token,
    attempt: call.attempt,
    function: node.function,
    taskInput: task.input,
    needsSecrets: whole === undefined,
    renderInput: renderer(machine, task, whole),
  };
}

function renderer(machine: Machine, task: Task, whole: JsonObject | undefined): (secrets: JsonObject) => JsonObject {
  if (whole !== undefined) return () => whole;
  const { evaluator } = machine;
  const { input } = task;
  const template = callNode(machine, task).arguments;
  return (secrets) => asObject(evaluator.template(template, input, task, { secrets }));
}

/** Looks for the effect of earlier attempts by the author's tasks or the connector's own look-up. */
function lookUp(machine: Machine, task: Task, node: CallNode): void {
  const call = openedCall(task);
  if (!machine.mayDispatch(task)) {
    call.mustLookUp = true;
    machine.setPhase(task, "held");
    return;
  }
  call.lookUpAtMs = machine.now;
  if (node.effect?.find !== undefined) {
    machine.openList(task, "find", task.input);
    return;
  }
  machine.setPhase(task, "looking-up");
  machine.command(lookUpCommand(machine, task));
}

/** An attempt's end, as the runtime reports it. False when it no longer applies. */
export function attemptEnded(machine: Machine, fact: AttemptEnded): boolean {
  const task = machine.task(fact.task);
  const call = task?.call;
  if (task === undefined || call === undefined || task.phase !== "running" || call.attempt !== fact.attempt) return false;
  machine.record(fact);
  call.sentByMs = sentBy(machine, call, fact);
  const { outcome } = fact;
  const { aborting } = call;
  call.aborting = undefined;
  // The attempt is over: whatever ends the task now has no attempt to stop.
  machine.setPhase(task, "active");
  switch (outcome.kind) {
    case "completed":
      effectFound(machine, task, outcome.output);
      return true;
    case "failed":
      call.mustLookUp ||= outcome.began;
      call.isOpen = false;
      if (aborting === "timeout" || aborting === "replaced") machine.fail(task, abortError(machine, task, aborting));
      else if (aborting === "held" && !outcome.began) machine.later({ kind: "dispatch", task: task.id });
      else machine.fail(task, outcome.error);
      return true;
    case "unknown":
      unknownOutcome(
        machine,
        task,
        aborting === "timeout" || aborting === "replaced" ? "timeout" : outcome.reason,
        aborting === "timeout" || aborting === "replaced" ? abortError(machine, task, aborting) : outcome.error,
      );
      return true;
  }
}

/**
 * Until when an attempt that has ended can have been sent. Not until its intent: it may have waited for its turn, or its process stood still. When its
 * end is recorded it is over, or the process that would have sent it is gone.
 */
export function sentBy(machine: Machine, sent: { readonly sentByMs: number }, end: AttemptEnded): number {
  return hasFlag(machine.state, ABSENCE_COUNTS_FROM_THE_END) ? Math.max(sent.sentByMs, end.at) : sent.sentByMs;
}

/** The effect class acts first (`DESIGN.md`, effect classes). */
export function unknownOutcome(
  machine: Machine,
  task: Task,
  reason: Extract<AttemptEnded["outcome"], { kind: "unknown" }>["reason"],
  error: TaskError,
): void {
  const call = openedCall(task);
  const node = callNode(machine, task);
  call.mustLookUp = true;
  const isFailure = reason === "timeout" || reason === "connection";
  if (call.effect === "unsafe") {
    const detail = { ...error, effect: "unknown" } as TaskError;
    if (isFailure && isTold(machine, task, detail)) machine.fail(task, detail, true);
    else {
      task.error = error;
      machine.setPhase(task, "in-doubt");
    }
    return;
  }
  if (reason === "timeout" && unwinderOf(machine, task) === undefined) machine.fail(task, error);
  else if (call.effect === "findable") lookUp(machine, task, node);
  else if (!isFailure) machine.later({ kind: "dispatch", task: task.id });
  else if (call.unknowns < UNKNOWN_REPEATS_MAX) {
    task.timer = machine.setTimer(task.id, "attempt-again", UNKNOWN_REPEAT_DELAY_MS * 2 ** call.unknowns++);
    machine.setPhase(task, "waiting");
  } else {
    call.unknowns = 0;
    machine.fail(task, error);
  }
}

/** Whether the workflow's own `catch` takes the error before anything is undone that the effect may belong to. */
function isTold(machine: Machine, task: Task, error: TaskError): boolean {
  if (unwinderOf(machine, task) !== undefined) return false;
  const catcher = findCatcher(machine, task, error, { mayRetry: false });
  return catcher.kind !== "nobody" && catcher.kind !== "undo" && faultingScope(machine, task, catcher.task) === undefined;
}

/** The connector's answer to a look-up. False when it no longer applies. */
export function lookUpEnded(machine: Machine, fact: LookUpEnded): boolean {
  const task = machine.task(fact.task);
  if (task === undefined || task.phase !== "looking-up") return false;
  machine.record(fact);
  machine.setPhase(task, "active");
  const { outcome } = fact;
  if (outcome.kind === "found") effectFound(machine, task, outcome.output);
  else if (outcome.kind === "absent") effectAbsent(machine, task);
  else lookUpFailed(machine, task, outcome.error);
  return true;
}

/** The effect is there, made by this attempt or an earlier one. Should the output turn out unusable, it is still there. */
export function effectFound(machine: Machine, task: Task, output: Json): void {
  const call = openedCall(task);
  call.isOpen = false;
  call.mustLookUp = true;
  if (callNode(machine, task).foreach === undefined) machine.complete(task, output);
  else iterateOver(machine, task, Array.isArray(output) ? output : [output]);
}

/**
 * Nothing was found. That counts when the target refuses a second effect of the token, or when the look-up began after the last attempt's
 * request can have ended, wherever it had come to when it was lost sight of, and its effect have settled; otherwise it is looked up again at that
 * time.
 */
export function effectAbsent(machine: Machine, task: Task): void {
  try {
    absent(machine, task);
  } catch (cause) {
    // Only the author's expressions can fail here: those of the arguments and of the timeout.
    failWith(machine, task, cause);
  }
}

function absent(machine: Machine, task: Task): void {
  const call = openedCall(task);
  const node = callNode(machine, task);
  const whole = wholeArguments(machine, task);
  const traits = traitsOf(machine, task, whole);
  const isUnique = node.effect === undefined ? traits.unique : node.effect.unique;
  const settleMs = node.effect === undefined ? traits.settleMs : Math.max(node.effect.settleMs, traits.settleMs);
  const requestMs =
    node.timeout === undefined ? traits.requestTimeoutMs : Math.min(traits.requestTimeoutMs, timeoutOf(machine, task, node.timeout));
  const countsFromMs = call.sentByMs + requestMs + settleMs;
  call.lookUps = 0;
  task.frame = undefined;
  if (isUnique || call.lookUpAtMs >= countsFromMs) {
    call.mustLookUp = false;
    call.isOpen = false;
    if (machine.mayDispatch(task)) sendAttempt(machine, task, whole);
    else machine.setPhase(task, "held");
    return;
  }
  task.timer = machine.setTimer(task.id, "look-up-again", countsFromMs - machine.now);
  machine.setPhase(task, "waiting");
}

/** The author's own bound on the task bounds its requests as well. */
function timeoutOf(machine: Machine, task: Task, timeout: Duration): number {
  return machine.evaluator.duration(timeout, task.input, task);
}

export function lookUpFailed(machine: Machine, task: Task, error: TaskError): void {
  const call = openedCall(task);
  task.frame = undefined;
  if (++call.lookUps < LOOK_UPS_MAX) {
    task.timer = machine.setTimer(task.id, "look-up-again", LOOK_UP_DELAY_MS * 2 ** (call.lookUps - 1));
    machine.setPhase(task, "waiting");
    return;
  }
  call.lookUps = 0;
  call.isOpen = true;
  task.error = error;
  machine.setPhase(task, "in-doubt");
}

/** A timer of a call: try again or look again. */
export function repeatCall(machine: Machine, task: Task): void {
  task.timer = undefined;
  machine.later({ kind: "dispatch", task: task.id });
}

export function timeoutError(machine: Machine, task: Task): TaskError {
  const node = machine.node(task);
  return taskError("timeout", `${node.name} did not end in time`, { instance: node.pointer });
}

function abortError(machine: Machine, task: Task, why: "timeout" | "replaced"): TaskError {
  return why === "timeout" ? timeoutError(machine, task) : slotError(undefined, "replaced");
}

export function slotError(key: string | undefined, verdict: "rejected" | "replaced"): TaskError {
  const slot = key === undefined ? "its slot" : `the slot ${key}`;
  const title = verdict === "rejected" ? `${slot} is taken` : `a later run took ${slot}`;
  return { ...taskError("runtime", title), type: `${TUTTI_ERROR_TYPE_BASE}concurrency`, status: 409 };
}

/** Asks a running attempt to stop; its end decides what happens. */
export function abortCall(machine: Machine, task: Task, why: AbortReason): void {
  const call = openedCall(task);
  if (call.aborting !== undefined) {
    // It was only to be held; now its task fails for good.
    if (call.aborting === "held") call.aborting = why;
    return;
  }
  call.aborting = why;
  machine.command({ type: "abort-attempt", task: task.id, reason: why === "timeout" ? "timeout" : "cancelled" });
}

export function openedCall(task: Task): CallState {
  assert(task.call !== undefined, `the call of task ${task.id} was dispatched`);
  return task.call;
}
