import { compileWorkflow, parseDocument } from "@tutti/definition";
import { CURRENT_FLAGS } from "./flags.ts";
import { type CloudEvent, type EffectClass, type Json, jsonEqual, type JsonObject, taskError } from "@tutti/model";
import { advance, createRun, type Fact } from "./advance.ts";
import type { Command } from "./command.ts";
import type { EngineContext } from "./context.ts";
import { wantsEvent } from "./listen.ts";
import type { AttemptOutcome, OperatorAction, RunRecord } from "./record.ts";
import { deserializeState, replay, serializeState } from "./replay.ts";
import type { RunState } from "./state.ts";
import { type RunSummary, summarize } from "./summary.ts";
import type { RunView, TaskView } from "./view.ts";
import { viewRun } from "./view-run.ts";
import { isHeldBack } from "./standstill.ts";

/** What a test's function does with an attempt. */
export type TestFunction = (
  input: JsonObject,
  attempt: { readonly token: string; readonly number: number; readonly path: string },
) => Json | AttemptOutcome;

/** A run for unit tests: carries out commands at once on a virtual clock, and after every step checks that replaying the records gives the state. */
export class TestRun {
  readonly context: EngineContext;
  readonly records: RunRecord[] = [];
  readonly sent: Extract<Command, { type: "start-attempt" }>[] = [];
  readonly commands: Command[] = [];
  readonly emitted: CloudEvent[] = [];
  state: RunState;
  nowMs = Date.UTC(2026, 0, 1);
  /** Attempts and look-ups that the test ends by itself. */
  readonly open = new Map<number, Extract<Command, { type: "start-attempt" | "look-up" }>>();
  readonly #functions: Readonly<Record<string, TestFunction>>;
  readonly #finds: Readonly<Record<string, (token: string) => Json | undefined>>;
  readonly #timers = new Map<number, number>();
  readonly #todo: Command[] = [];
  readonly #ignoresAborts: boolean;
  #position = 0;

  constructor(options: {
    readonly document: string;
    readonly input?: Json;
    readonly functions?: Readonly<Record<string, TestFunction>>;
    readonly effects?: Readonly<Record<string, EffectClass>>;
    readonly finds?: Readonly<Record<string, (token: string) => Json | undefined>>;
    readonly settleMs?: number;
    /** Attempts go on when they are asked to stop, until the test ends them. */
    readonly ignoresAborts?: boolean;
    /** Of a run that an earlier version has started. */
    readonly flags?: readonly number[];
  }) {
    const { json, findings } = parseDocument(withHead(options.document));
    if (json === undefined) throw new Error(findings.map((finding) => finding.message).join("\n"));
    this.#functions = options.functions ?? {};
    this.#finds = options.finds ?? {};
    this.#ignoresAborts = options.ignoresAborts ?? false;
    this.context = {
      program: compileWorkflow(json),
      runtime: { name: "tutti", version: "test", metadata: {} },
      functions: {
        describe: (name) =>
          name in this.#functions
            ? {
                effect: options.effects?.[name] ?? "idempotent",
                canFind: name in this.#finds,
                unique: options.settleMs === undefined,
                settleMs: options.settleMs ?? 0,
                requestTimeoutMs: 0,
              }
            : undefined,
      },
    };
    const created = createRun(
      {
        type: "run-started",
        at: this.nowMs,
        runId: "run_0000000000000001",
        tenant: "default",
        workflow: { namespace: "test", name: "case", version: "1.0.0", digest: "" },
        input: options.input ?? null,
        labels: {},
        actor: "test",
        flags: options.flags ?? CURRENT_FLAGS,
      },
      this.context,
    );
    this.state = created.state;
    this.#take(created.records, created.commands);
    this.drain();
  }

  get summary(): RunSummary {
    return summarize(this.state);
  }

  get view(): RunView {
    return viewRun(this.records, this.context);
  }

  /** Feeds a fact; returns how many records followed. */
  feed(fact: Fact): number {
    const { records, commands } = advance(this.state, fact, this.context);
    this.#take(records, commands);
    this.drain();
    return records.length;
  }

  operate(action: OperatorAction): void {
    this.feed({ type: "operator", at: this.nowMs, actor: "ana", reason: undefined, action });
  }

  /** Ends the open attempt of a task by path. */
  end(path: string, outcome: AttemptOutcome): void {
    const command = [...this.open.values()].find((open) => open.path === path);
    if (command === undefined)
      throw new Error(`no open attempt at ${path}; open: ${[...this.open.values()].map((open) => open.path).join(", ")}`);
    this.open.delete(command.task);
    this.feed({ type: "attempt-ended", at: this.nowMs, task: command.task, attempt: command.attempt, outcome });
  }

  /** Moves the clock to the next timer and fires it; false when there is none. */
  tick(): boolean {
    const mayFire = ([id]: [number, number]): boolean => {
      const timer = this.state.timers.get(id);
      return timer === undefined || !isHeldBack(this.state, timer);
    };
    const next = [...this.#timers].filter(mayFire).sort((left, right) => left[1] - right[1] || left[0] - right[0])[0];
    if (next === undefined) return false;
    this.#timers.delete(next[0]);
    this.nowMs = Math.max(this.nowMs, next[1]);
    this.feed({ type: "timer-fired", at: this.nowMs, timer: next[0] });
    return true;
  }

  /** Sends an event to every listening task that wants it; says how many took it. */
  send(type: string, data: Json, more: JsonObject = {}): number {
    const event: CloudEvent = { specversion: "1.0", id: `e${++this.#position}`, source: "test", type, data, ...more };
    let taken = 0;
    for (const task of this.state.tasks.values()) {
      if (task.frame?.kind !== "listen") continue;
      for (let filter = 0; filter < task.frame.matched.length; filter++)
        if (wantsEvent(this.state, task.id, filter, this.#position, event, this.context)) {
          this.feed({ type: "event-received", at: this.nowMs, task: task.id, position: this.#position, event });
          taken++;
          break;
        }
    }
    return taken;
  }

  /** Carries out what is to do, and fires timers until nothing moves. */
  finish(): this {
    while (this.tick());
    return this;
  }

  drain(): void {
    for (let command = this.#todo.shift(); command !== undefined; command = this.#todo.shift()) this.#carryOut(command);
  }

  #take(records: readonly RunRecord[], commands: readonly Command[]): void {
    this.records.push(...records);
    this.commands.push(...commands);
    this.#todo.push(...commands);
    const live = serializeState(this.state);
    const rebuilt = serializeState(replay(JSON.parse(JSON.stringify(this.records)) as RunRecord[], this.context));
    // A state read from a snapshot lists its members in another order; that is no difference.
    if (!jsonEqual(JSON.parse(live) as Json, JSON.parse(rebuilt) as Json))
      throw new Error(`replay gives another state\nlive:    ${live}\nrebuilt: ${rebuilt}`);
    // Every step goes on from a restarted state: what a snapshot would give back.
    this.state = deserializeState(live);
  }

  #carryOut(command: Command): void {
    switch (command.type) {
      case "start-attempt":
        this.sent.push(command);
        this.#attempt(command);
        return;
      case "look-up": {
        const find = this.#finds[command.function];
        if (find === undefined) {
          this.open.set(command.task, command);
          return;
        }
        const output = find(command.token);
        this.feed({
          type: "look-up-ended",
          at: this.nowMs,
          task: command.task,
          outcome: output === undefined ? { kind: "absent" } : { kind: "found", output },
        });
        return;
      }
      case "abort-attempt": {
        if (this.#ignoresAborts) return;
        const open = this.open.get(command.task);
        this.open.delete(command.task);
        if (open?.type === "start-attempt")
          this.feed({
            type: "attempt-ended",
            at: this.nowMs,
            task: command.task,
            attempt: open.attempt,
            outcome: { kind: "unknown", reason: command.reason, error: taskError("communication", "aborted") },
          });
        return;
      }
      case "set-timer":
        this.#timers.set(command.timer, command.dueAtMs);
        return;
      case "clear-timer":
        this.#timers.delete(command.timer);
        return;
      case "emit-event":
        this.emitted.push(command.event);
        return;
      default:
    }
  }

  #attempt(command: Extract<Command, { type: "start-attempt" }>): void {
    const run = this.#functions[command.function];
    if (run === undefined) throw new Error(`no test function ${command.function}`);
    const result = run(command.renderInput({}), { token: command.token, number: command.attempt, path: command.path });
    if (result === HANG) {
      this.open.set(command.task, command);
      return;
    }
    const outcome = isOutcome(result) ? result : { kind: "completed" as const, output: result };
    this.feed({ type: "attempt-ended", at: this.nowMs, task: command.task, attempt: command.attempt, outcome });
  }
}

/** A test function returns this when the test ends the attempt itself. */
export const HANG: Json = "«hang»";

/** Fails an attempt with a complete answer. */
export function answer(status: number, title = "no"): AttemptOutcome {
  return { kind: "failed", error: { ...taskError("communication", title), status }, began: true, retryable: false };
}

export function unknown(reason: Extract<AttemptOutcome, { kind: "unknown" }>["reason"] = "connection"): AttemptOutcome {
  return { kind: "unknown", reason, error: taskError("communication", "the connection was lost") };
}

function isOutcome(value: Json | AttemptOutcome): value is AttemptOutcome {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    "kind" in value &&
    (value.kind === "completed" || value.kind === "failed" || value.kind === "unknown")
  );
}

function withHead(document: string): string {
  return document.includes("document:") ? document : `document: { dsl: 1.0.3, namespace: test, name: case, version: 1.0.0 }\n${document}`;
}

/** All tasks of a view, outer ones before the inner ones. */
export function allTasksOf({ tasks }: Pick<RunView, "tasks">): readonly TaskView[] {
  const all = (some: readonly TaskView[]): readonly TaskView[] => some.flatMap((task) => [task, ...all(task.children)]);
  return all(tasks);
}
