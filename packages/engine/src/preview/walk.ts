import type { WorkflowProgram } from "@tutti/definition";
import { assertNever, type EffectClass, type Json, type JsonObject, type TaskError, taskError, unknownValue } from "@tutti/model";
import { advance, createRun, type Fact } from "../advance.ts";
import type { Command, StartAttempt, StartChild } from "../command.ts";
import type { EngineContext } from "../context.ts";
import type { Machine } from "../machine.ts";
import type { AttemptOutcome, RunStarted, WorkflowVersion } from "../record.ts";
import type { RunState, Task } from "../state.ts";
import type { Foresight, Undecided } from "./foresight.ts";
import { isBesideChanges, isPartOfUndo, isRevisited, losesRace } from "./surroundings.ts";

/**
 * One way through a workflow, walked by the engine itself: where it would ask the world it is told what the world would say, and where a decision
 * depends on what nobody knows, the walk takes the way it was sent, or the first.
 */

/** What a call would do, in the words of connectors' previews. */
export interface ForeseenEffect {
  readonly kind: "create" | "change" | "delete" | "read" | "send";
  readonly resource: string;
  readonly name?: string;
  readonly before?: Json;
  readonly after?: Json;
  readonly isReversible: boolean;
}

/** A call that the walk has come to. */
export interface CallAhead {
  readonly runId: string;
  readonly program: WorkflowProgram;
  readonly command: StartAttempt;
  /** Nothing before it or beside it may have changed anything: a read would find what the run will find, unless others change it. */
  readonly isUndisturbed: boolean;
}

/** What a call would do and give. */
export interface CallForeseen {
  /** The arguments, without secrets; parts may be unknown. */
  readonly input: JsonObject;
  readonly provider?: string;
  /** Undefined: nobody can say before. Empty: nothing would change. */
  readonly effects: readonly ForeseenEffect[] | undefined;
  /** Parts may be unknown. */
  readonly outcome: { readonly kind: "completed"; readonly output: Json } | { readonly kind: "failed"; readonly error: TaskError };
  /** It was carried out, since it only reads. */
  readonly wasRead: boolean;
  /** Why nobody can say what it would do, or what it would find. */
  readonly reason?: string;
}

/** What a walk asks of the world. Nothing of it changes anything. */
export interface World {
  foresee(call: CallAhead): Promise<CallForeseen>;
  /** The workflow that a task runs, undefined when there is none. */
  child(workflow: StartChild["workflow"]): Promise<{ readonly context: EngineContext; readonly workflow: WorkflowVersion } | undefined>;
}

export interface WalkedCall {
  /** The same on every path that comes there: runs, tasks, iterations and visits on the way. */
  readonly place: string;
  readonly path: string;
  /** As its attempts will carry it; the empty text of an `emit`. */
  readonly token: string;
  readonly function: string;
  readonly effect: EffectClass;
  readonly foreseen: CallForeseen;
  /** It undoes another one. */
  readonly isUndo: boolean;
  readonly isUndone: boolean;
}

export interface Decision extends Undecided {
  readonly place: string;
  readonly path: string;
  readonly holds: boolean;
  /** Of a task that was jumped back to: one more round of the same. */
  readonly isAgain: boolean;
}

export interface Walked {
  readonly decisions: readonly Decision[];
  readonly calls: readonly WalkedCall[];
  readonly waits: readonly { readonly place: string; readonly path: string }[];
  readonly locks: readonly { readonly path: string; readonly key: string; readonly limit: number }[];
  readonly end: { readonly status: "completed" | "cancelled" } | { readonly status: "faulted"; readonly error: TaskError };
  /** Tasks entered, a measure of the work. */
  readonly steps: number;
}

export interface WalkStart {
  readonly runId: string;
  readonly tenant: string;
  readonly workflow: WorkflowVersion;
  readonly context: EngineContext;
  readonly input: Json;
  readonly flags: readonly number[];
}

/** A path that goes round in circles is left after so many calls, pauses and children. */
export const WALK_STEPS_MAX = 100_000;

/** Walks the path on which the decisions that depend on unknowns go as `way` says, and after that the first way. */
export async function walk(start: WalkStart, world: World, way: readonly boolean[]): Promise<Walked> {
  const walker = new Walker(world, way);
  return walker.walk(start);
}

interface Traveller {
  readonly state: RunState;
  readonly context: EngineContext;
  /** Before the places of its tasks, and before their paths. */
  readonly prefix: string;
  readonly pathPrefix: string;
  readonly parent: { readonly traveller: Traveller; readonly task: number } | undefined;
  readonly races: Map<number, number>;
}

interface Errand {
  readonly traveller: Traveller;
  readonly command: Command;
  /** Of a call that waits for its answer. */
  readonly foreseen?: CallForeseen;
}

interface PendingTimer {
  readonly traveller: Traveller;
  readonly timer: number;
  readonly dueAtMs: number;
}

/** A call of which it is seen at the end of the walk whether it left an undo. */
interface NotedCall extends Omit<WalkedCall, "isUndone"> {
  readonly runId: string;
  readonly task: number;
}

class Walker implements Foresight {
  readonly #world: World;
  readonly #way: readonly boolean[];
  readonly #travellers = new Map<string, Traveller>();
  readonly #errands: Errand[] = [];
  #next = 0;
  /** Timers of travellers, and calls of branches that lose their race: after everything else. */
  readonly #timers: PendingTimer[] = [];
  readonly #late: Errand[] = [];
  readonly #decisions: Decision[] = [];
  readonly #calls: NotedCall[] = [];
  readonly #waits: { place: string; path: string }[] = [];
  readonly #locks: { path: string; key: string; limit: number }[] = [];
  readonly #noted = new Set<string>();
  #hasChanged = false;
  #steps = 0;

  constructor(world: World, way: readonly boolean[]) {
    this.#world = world;
    this.#way = way;
  }

  async walk(start: WalkStart): Promise<Walked> {
    const root = this.#begin({ ...start, prefix: "", pathPrefix: "", parent: undefined });
    for (let errand = this.#nextErrand(); errand !== undefined && this.#steps <= WALK_STEPS_MAX; errand = this.#nextErrand()) {
      await this.#carryOut(errand);
      this.#steps++;
    }
    const undone = new Map(
      [...this.#travellers.values()].map(({ state }) => [state.runId, new Set([...state.undos.values()].map((undo) => undo.task))]),
    );
    return {
      decisions: this.#decisions,
      calls: this.#calls.map(({ runId, task, ...call }) => ({
        ...call,
        isUndone: call.effect !== "read" && undone.get(runId)?.has(task) === true,
      })),
      waits: this.#waits,
      locks: this.#locks,
      end: endOf(root.state, this.#steps > WALK_STEPS_MAX),
      steps: this.#steps + root.state.nextTask,
    };
  }

  decide(machine: Machine, task: Task, about: Undecided): boolean {
    const { place, path } = this.#whereIs(machine, task);
    const isAgain = isRevisited(machine.state, task);
    const holds = this.#way[this.#decisions.length] ?? (isAgain ? this.#nextRound(path, about) : true);
    this.#decisions.push({ ...about, place: `${place} ${about.of} ${about.name ?? ""}`, path, holds, isAgain });
    return holds;
  }

  listens(machine: Machine, task: Task): void {
    this.#waits.push(this.#whereIs(machine, task));
  }

  emits(machine: Machine, task: Task, event: { readonly type: string; readonly id: string } | undefined): void {
    const name = event === undefined ? {} : { name: event.type };
    const where = this.#whereIs(machine, task);
    // A block that is repeated emits it once more under the same id.
    if (this.#noted.has(where.place)) return;
    this.#noted.add(where.place);
    this.#calls.push({
      ...where,
      token: "",
      function: "emit",
      effect: "idempotent",
      foreseen: {
        input: event === undefined ? {} : (event as unknown as JsonObject),
        effects: [{ kind: "send", resource: "event", ...name, isReversible: false }],
        outcome: { kind: "completed", output: null },
        wasRead: false,
      },
      isUndo: false,
      runId: machine.state.runId,
      task: task.id,
    });
  }

  races(machine: Machine, task: Task, winner: number): void {
    this.#travellerOf(machine).races.set(task.id, winner);
  }

  /** A way that comes to its end: what was jumped back to goes on the next time. */
  #nextRound(path: string, { of, name }: Undecided): boolean {
    const before = this.#decisions.filter((one) => one.path === path && one.of === of && one.name === name);
    return before.filter((one) => one.holds).length * 2 < before.length || before.length === 0;
  }

  #begin(start: WalkStart & Pick<Traveller, "prefix" | "pathPrefix" | "parent"> & { readonly depth?: number }): Traveller {
    const { runId, tenant, workflow, input, flags, parent } = start;
    const context: EngineContext = { ...start.context, foresight: this };
    const started: RunStarted = {
      type: "run-started",
      at: 0,
      runId,
      tenant,
      workflow,
      input,
      labels: {},
      actor: "preview",
      flags,
      ...(parent !== undefined && { parent: { runId: parent.traveller.state.runId, task: parent.task, depth: start.depth ?? 1 } }),
    };
    // The engine asks for decisions before the state is there to be named by.
    this.#beginning = { prefix: start.prefix, pathPrefix: start.pathPrefix, races: new Map() };
    const { state, commands } = createRun(started, context);
    const traveller: Traveller = { state, context, parent, ...this.#beginning };
    this.#travellers.set(runId, traveller);
    this.#take(traveller, commands);
    return traveller;
  }
  #beginning: Pick<Traveller, "prefix" | "pathPrefix" | "races"> = { prefix: "", pathPrefix: "", races: new Map() };

  #feed(traveller: Traveller, fact: Fact): void {
    this.#take(traveller, advance(traveller.state, fact, traveller.context).commands);
  }

  #take(traveller: Traveller, commands: readonly Command[]): void {
    for (const command of commands) this.#errands.push({ traveller, command });
  }

  async #carryOut(errand: Errand): Promise<void> {
    const { traveller, command } = errand;
    switch (command.type) {
      case "start-attempt":
        await this.#call({ ...errand, command });
        return;
      case "set-timer":
        this.#timers.push({ traveller, timer: command.timer, dueAtMs: command.dueAtMs });
        return;
      case "start-child":
        await this.#startChild(traveller, command);
        return;
      case "acquire-slot":
        this.#locks.push({ path: this.#pathOf(traveller, command.task), key: command.key, limit: command.limit });
        this.#feed(traveller, { type: "slot-decided", at: 0, task: command.task, verdict: "granted", fence: 0 });
        return;
      case "abort-attempt":
        this.#endStopped(traveller, command.task);
        return;
      case "end-run":
        if (traveller.parent !== undefined)
          this.#feed(traveller.parent.traveller, {
            type: "child-ended",
            at: 0,
            task: traveller.parent.task,
            runId: traveller.state.runId,
            outcome: command.outcome,
          });
        return;
      case "look-up":
      case "clear-timer":
      case "cancel-child":
      case "emit-event":
      case "subscribe":
      case "unsubscribe":
      case "release-slot":
        return;
      default:
        assertNever(command, "command");
    }
  }

  /** A call whose branch is to lose its race begins like any other; its answer waits until the race is over, or nothing else is left. */
  async #call({ traveller, command, foreseen: before }: Errand & { readonly command: StartAttempt }): Promise<void> {
    const task = traveller.state.tasks.get(command.task);
    const foreseen = before ?? (await this.#foresee(traveller, task, command));
    if (before === undefined) this.#note(traveller, task, command, foreseen);
    // It was given up at once, as when a branch beside it ends the run: a run sends it all the same.
    if (task?.call === undefined || task.phase !== "running" || task.call.attempt !== command.attempt) return;
    if (before === undefined && losesRace(traveller, task)) {
      this.#late.push({ traveller, command, foreseen });
      return;
    }
    this.#feed(traveller, {
      type: "attempt-ended",
      at: 0,
      task: task.id,
      attempt: command.attempt,
      outcome: outcomeOf(traveller, task, command, foreseen),
    });
  }

  #foresee(traveller: Traveller, task: Task | undefined, command: StartAttempt): Promise<CallForeseen> {
    const { state, context } = traveller;
    const isUndisturbed = !this.#hasChanged && task !== undefined && !isBesideChanges(traveller, task);
    return this.#world.foresee({ runId: state.runId, program: context.program, command, isUndisturbed });
  }

  #note(traveller: Traveller, task: Task | undefined, command: StartAttempt, foreseen: CallForeseen): void {
    const key = task?.key ?? traveller.state.detached.get(command.task)?.key ?? command.token;
    const place = `${traveller.prefix}${key}`;
    // Another attempt of the same call.
    if (this.#noted.has(place)) return;
    this.#noted.add(place);
    if (command.effect !== "read" && foreseen.effects?.length !== 0) this.#hasChanged = true;
    this.#calls.push({
      place,
      path: `${traveller.pathPrefix}${command.path}`,
      token: command.token,
      function: command.function,
      effect: command.effect,
      foreseen,
      isUndo: task !== undefined && isPartOfUndo(traveller.state, task),
      runId: traveller.state.runId,
      task: command.task,
    });
  }

  /** What is given up while it is under way, such as the branches that lose a race, stops before it has an end. */
  #endStopped(traveller: Traveller, id: number): void {
    const attempt = traveller.state.tasks.get(id)?.call?.attempt ?? traveller.state.detached.get(id)?.attempt;
    if (attempt === undefined) return;
    const error = taskError("runtime", "stopped");
    this.#feed(traveller, {
      type: "attempt-ended",
      at: 0,
      task: id,
      attempt,
      outcome: { kind: "failed", error, began: false, retryable: false },
    });
  }

  async #startChild(traveller: Traveller, command: StartChild): Promise<void> {
    const task = traveller.state.tasks.get(command.task);
    const found = await this.#world.child(command.workflow);
    if (found === undefined) {
      const { namespace, name, version } = command.workflow;
      const error = taskError(
        "configuration",
        `There is no workflow ${namespace}/${name} ${version}. Publish it (tutti workflow apply FILE).`,
      );
      this.#feed(traveller, { type: "child-ended", at: 0, task: command.task, runId: command.runId, outcome: { kind: "refused", error } });
      return;
    }
    // It runs already when the block that started it is repeated.
    if (this.#travellers.has(command.runId)) return;
    this.#begin({
      runId: command.runId,
      tenant: traveller.state.tenant,
      workflow: found.workflow,
      context: found.context,
      input: command.input,
      flags: traveller.state.flags,
      depth: command.depth,
      prefix: `${traveller.prefix}${task?.key ?? ""} › `,
      pathPrefix: `${this.#pathOf(traveller, command.task)} › `,
      parent: command.await ? { traveller, task: command.task } : undefined,
    });
  }

  /** What was asked for first; then pauses, which are over at once; then what only the losers of a race wait for. */
  #nextErrand(): Errand | undefined {
    for (;;) {
      const errand = this.#errands[this.#next];
      if (errand !== undefined) {
        this.#next++;
        return errand;
      }
      this.#errands.length = 0;
      this.#next = 0;
      if (!this.#fireTimer()) return this.#late.shift();
    }
  }

  /** Ends the pause that is over first. Limits of time never come up. False when nothing pauses. */
  #fireTimer(): boolean {
    this.#timers.sort((left, right) => left.dueAtMs - right.dueAtMs);
    const next = this.#timers.shift();
    if (next === undefined) return false;
    const purpose = next.traveller.state.timers.get(next.timer)?.purpose;
    if (purpose !== undefined && purpose !== "run-timeout" && purpose !== "task-timeout" && purpose !== "pass-timeout")
      this.#feed(next.traveller, { type: "timer-fired", at: 0, timer: next.timer });
    return true;
  }

  #travellerOf(machine: Machine): Traveller {
    const found = this.#travellers.get(machine.state.runId);
    return found ?? { state: machine.state, context: machine.context, parent: undefined, ...this.#beginning };
  }

  #whereIs(machine: Machine, task: Task): { readonly place: string; readonly path: string } {
    const { prefix, pathPrefix } = this.#travellerOf(machine);
    return { place: `${prefix}${task.key}`, path: `${pathPrefix}${machine.node(task).path}` };
  }

  #pathOf({ state, context, pathPrefix }: Traveller, task: number): string {
    return `${pathPrefix}${context.program.nodes[state.tasks.get(task)?.node ?? -1]?.path ?? ""}`;
  }
}

function endOf(state: RunState, isCut: boolean): Walked["end"] {
  if (state.phase === "completed" || state.phase === "cancelled") return { status: state.phase };
  const why = isCut
    ? `the walk was left after ${WALK_STEPS_MAX} steps: does the workflow go round in circles?`
    : "the run does not come to its end";
  return { status: "faulted", error: state.error ?? taskError("runtime", why) };
}

/** What fails when it is asked fails; asked again, it may well not. */
function outcomeOf({ context }: Traveller, task: Task, command: StartAttempt, { outcome }: CallForeseen): AttemptOutcome {
  if (outcome.kind === "completed") return outcome;
  if (command.attempt > 1) return { kind: "completed", output: unknownValue(`the output of ${command.path}`) };
  const instance = context.program.nodes[task.node]?.pointer;
  return { kind: "failed", error: { ...outcome.error, ...(instance !== undefined && { instance }) }, began: true, retryable: false };
}
