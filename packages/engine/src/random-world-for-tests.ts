import { compileWorkflow } from "@tutti/definition";
import { CURRENT_FLAGS } from "./flags.ts";
import { AppError, assert, type CloudEvent, type Json, jsonEqual, type JsonObject, taskError } from "@tutti/model";
import { advance, createRun, type Fact } from "./advance.ts";
import { captureBackOutPoint, planBackOut } from "./back-out-plan.ts";
import type { Command, StartAttempt } from "./command.ts";
import type { Advanced, EngineContext } from "./context.ts";
import { explainTask, explainWaits } from "./explain/explain-task.ts";
import { wantsEvent } from "./listen.ts";
import type { AttemptOutcome, OperatorAction, RunRecord } from "./record.ts";
import { deserializeState, replay, serializeState } from "./replay.ts";
import { liveChildren, RUN_FRAME, type RunState, type Task } from "./state.ts";
import { summarize } from "./summary.ts";
import { captureResumePoint } from "./view-run.ts";
import { isHeldBack } from "./standstill.ts";

/** Something that can happen next. */
type Action = () => void;

const UNKNOWN_REASONS = ["crash", "timeout", "connection", "cancelled", "lease-lost"] as const;
/** Steps to the end once nothing goes wrong any more: far more than the largest random document needs. */
const ENDING_STEPS_MAX = 1000;
/** Times that a run is resumed that fails as a whole. */
const RESUMES_MAX = 3;

/** What surrounds a run: anything may end at any time and any way. After each step all laws are checked. */
export class RandomWorld {
  readonly context: EngineContext;
  state: RunState;
  /** The same run, built from the records alone and read back from its text after each step. */
  #mirror: RunState;
  readonly #records: RunRecord[] = [];
  #now = Date.UTC(2026, 0, 1);
  readonly #attempts = new Map<string, StartAttempt>();
  readonly #lookUps = new Set<number>();
  readonly #timers = new Map<number, number>();
  readonly #subscribed = new Set<number>();
  readonly #asked = new Set<number>();
  readonly #slots = new Set<number>();
  readonly #children = new Map<string, { readonly task: number; isRunning: boolean; isCancelled: boolean }>();
  readonly #intents = new Set<string>();
  readonly #completedUnsafe = new Set<string>();
  #position = 0;
  #resumes = 0;

  constructor(document: JsonObject) {
    this.context = {
      program: compileWorkflow(document),
      runtime: {},
      functions: {
        describe: (name) => {
          const effect = name.slice(2, name.indexOf(":"));
          return {
            effect: effect === "read" || effect === "idempotent" || effect === "findable" ? effect : "unsafe",
            canFind: effect === "findable",
            unique: this.context.program.nodes.length % 2 === 0,
            settleMs: 1000,
            requestTimeoutMs: 0,
          };
        },
      },
    };
    const created = createRun(
      {
        type: "run-started",
        at: this.#now,
        runId: "run_0000000000000001",
        tenant: "default",
        workflow: { namespace: "test", name: "random", version: "1.0.0", digest: "" },
        input: { n: 1 },
        labels: {},
        actor: "test",
        flags: CURRENT_FLAGS,
      },
      this.context,
    );
    this.state = created.state;
    this.#mirror = replay(stored(created.records), this.context);
    this.#take(created);
  }

  /** Does one of the things that can happen. */
  step(choice: number): void {
    const actions = this.#actions();
    actions[choice % actions.length]?.();
  }

  /** From here on all goes well and a person helps wherever one is needed: the run ends. */
  end(): void {
    this.#explain();
    for (let step = 0; step < ENDING_STEPS_MAX; step++) {
      const { phase } = this.state;
      if (phase === "completed" || phase === "cancelled") {
        const rebuilt = replay(stored(this.#records), this.context);
        assert(jsonEqual(plain(rebuilt), plain(this.state)), "replaying all records gives the state");
        return;
      }
      assert(this.#help(), `something helps: ${serializeState(this.state)}`);
    }
    throw new Error(`the run does not end: ${serializeState(this.state)}`);
  }

  /** Each task has a story, wherever the run stands. */
  #explain(): void {
    const { nodes } = this.context.program;
    const path = nodes[this.#records.length % nodes.length]?.path ?? "";
    const { status, reasons, activations } = explainTask(stored(this.#records), this.context, { path });
    assert(reasons.length > 0, `there is a reason for what became of ${path}`);
    assert((status === "not-reached") === (activations === 0), `${path} was reached when it was activated`);
    for (const waiting of explainWaits(stored(this.#records), this.context))
      assert(waiting.wait !== undefined, `${waiting.path} waits for something`);
  }

  /** The one thing that brings the run nearer to its end; false when there is none. */
  #help(): boolean {
    const { state } = this;
    if (state.phase === "quarantined") return (this.#operate({ kind: "resume" }), true);
    for (const attempt of this.#attempts.values()) return (this.#endAttempt(attempt, { kind: "completed", output: 1 }), true);
    for (const task of this.#lookUps) return (this.#endLookUp(task, { kind: "found", output: 1 }), true);
    const tasks = [...state.tasks.values()];
    const doubt = tasks.find((task) => task.phase === "in-doubt");
    if (doubt !== undefined) return (this.#operate({ kind: "settle", task: doubt.id, verdict: { kind: "done", output: 1 } }), true);
    // What was left behind holds a back-out as long as nobody knows what it did.
    const left = [...state.detached.values()].find((one) => one.status === "in-doubt");
    if (left !== undefined && state.unwinding.length > 0)
      return (this.#operate({ kind: "settle", task: left.task, verdict: { kind: "done", output: 1 } }), true);
    if (state.isPaused) return (this.#operate({ kind: "resume" }), true);
    const failed = tasks.find((task) => task.phase === "failed");
    // What fails as a whole, or cannot be undone, fails again and again: a person gives it up at last.
    if (failed?.id === RUN_FRAME) return (this.#operate({ kind: ++this.#resumes > RESUMES_MAX ? "kill" : "resume" }), true);
    if (failed !== undefined) return (this.#operate({ kind: "skip", task: failed.id, output: 1 }), true);
    if (state.phase === "faulted") return (this.#operate({ kind: "resume" }), true);
    for (const task of this.#asked) return (this.#decideSlot(task, "granted"), true);
    for (const [runId, child] of this.#children) if (child.isRunning) return (this.#endChild(runId, "completed"), true);
    const sent = [this.#send("a"), this.#send("b")];
    return sent.includes(true) || this.#tick();
  }

  #actions(): readonly Action[] {
    const { state } = this;
    const words: Action[] = [
      () => this.#operate({ kind: "pause" }),
      () => this.#operate({ kind: "resume" }),
      () => this.#operate({ kind: "retry" }),
      () => this.#operate({ kind: "resume", setInput: { edited: true } }),
    ];
    const seldom = this.#position % 4;
    if (seldom === 0) words.push(() => this.#operate({ kind: "cancel" }));
    if (seldom === 1) words.push(() => this.#operate({ kind: "kill" }));
    if (seldom === 2) words.push(() => this.#operate({ kind: "quarantine" }));
    const someNode = this.context.program.nodes[this.#records.length % this.context.program.nodes.length];
    if (someNode !== undefined) words.push(() => this.#resumeFrom(someNode.path));
    if (this.#records.length % 3 === 0) words.push(() => this.#backOut(this.#records.length % 2 === 0 ? someNode?.path : undefined));
    for (const task of state.tasks.values()) {
      if (task.phase === "in-doubt" || task.phase === "failed") words.push(() => this.#operate({ kind: "skip", task: task.id }));
      if (task.phase === "in-doubt") words.push(...this.#settlements(task.id));
    }
    for (const detached of state.detached.values()) if (detached.status === "in-doubt") words.push(...this.#settlements(detached.task));
    // A quarantined run is not fed by anybody but a person.
    if (state.phase === "quarantined") return words;
    const actions: Action[] = [];
    for (const attempt of this.#attempts.values()) {
      const end = (outcome: AttemptOutcome): number => actions.push(() => this.#endAttempt(attempt, outcome));
      end({ kind: "completed", output: { made: attempt.attempt } });
      end({ kind: "completed", output: null });
      const error = { ...taskError("communication", "answered"), status: 503 };
      end({ kind: "failed", error, began: true, retryable: true });
      end({ kind: "failed", error, began: false, retryable: true });
      const reason = UNKNOWN_REASONS[this.#records.length % UNKNOWN_REASONS.length] ?? "crash";
      end({ kind: "unknown", reason, error: taskError("communication", "lost") });
    }
    for (const task of this.#lookUps)
      actions.push(
        () => this.#endLookUp(task, { kind: "found", output: "found" }),
        () => this.#endLookUp(task, { kind: "absent" }),
        () => this.#endLookUp(task, { kind: "failed", error: taskError("communication", "no answer") }),
      );
    for (const task of this.#asked)
      for (const verdict of ["granted", "rejected"] as const) actions.push(() => this.#decideSlot(task, verdict));
    for (const task of this.#slots) actions.push(() => this.#decideSlot(task, "replaced"));
    for (const [runId, child] of this.#children)
      if (child.isRunning)
        for (const kind of ["completed", "faulted", "cancelled"] as const) actions.push(() => this.#endChild(runId, kind));
    for (const type of ["a", "b"]) actions.push(() => void this.#send(type));
    actions.push(
      () => void this.#tick(),
      () => void this.#tick(),
      () => this.#stale(),
    );
    // What happens by itself is as likely as all that people do.
    return [...actions, ...words.slice(0, Math.max(3, actions.length / 2))];
  }

  #settlements(task: number): readonly Action[] {
    return [
      () => this.#operate({ kind: "settle", task, verdict: { kind: "done", output: "settled" } }),
      () => this.#operate({ kind: "settle", task, verdict: { kind: "not-done", then: "run" } }),
      () => this.#operate({ kind: "settle", task, verdict: { kind: "not-done", then: "fail" } }),
    ];
  }

  #endAttempt(attempt: StartAttempt, outcome: AttemptOutcome): void {
    this.#attempts.delete(effectKey(attempt));
    if (outcome.kind === "completed" && attempt.effect === "unsafe") this.#completedUnsafe.add(effectKey(attempt));
    this.#feed({ type: "attempt-ended", at: this.#now, task: attempt.task, attempt: attempt.attempt, outcome });
  }

  #endLookUp(task: number, outcome: Extract<Fact, { type: "look-up-ended" }>["outcome"]): void {
    this.#lookUps.delete(task);
    this.#feed({ type: "look-up-ended", at: this.#now, task, outcome });
  }

  #decideSlot(task: number, verdict: "granted" | "rejected" | "replaced"): void {
    this.#asked.delete(task);
    if (verdict === "granted") this.#slots.add(task);
    else this.#slots.delete(task);
    this.#feed({ type: "slot-decided", at: this.#now, task, verdict, fence: 1 });
  }

  #endChild(runId: string, kind: "completed" | "faulted" | "cancelled"): void {
    const child = this.#children.get(runId);
    assert(child !== undefined, "the child was started");
    child.isRunning = false;
    const how = child.isCancelled ? "cancelled" : kind;
    child.isCancelled = how === "cancelled";
    const outcome =
      how === "completed"
        ? ({ kind: how, output: "child" } as const)
        : how === "faulted"
          ? ({ kind: how, error: taskError("runtime", "child broke") } as const)
          : ({ kind: how } as const);
    this.#feed({ type: "child-ended", at: this.#now, task: child.task, runId, outcome });
  }

  #tick(): boolean {
    const { state } = this;
    const mayFire = ([id]: [number, number]): boolean => {
      const timer = state.timers.get(id);
      return timer === undefined || !isHeldBack(state, timer);
    };
    const [next] = [...this.#timers].filter(mayFire).toSorted((left, right) => left[1] - right[1] || left[0] - right[0]);
    if (next === undefined || state.phase !== "active") return false;
    this.#timers.delete(next[0]);
    this.#now = Math.max(this.#now, next[1]);
    this.#feed({ type: "timer-fired", at: this.#now, timer: next[0] });
    return true;
  }

  #send(type: string): boolean {
    const position = ++this.#position;
    const event: CloudEvent = { specversion: "1.0", id: `e${position}`, source: "test", type, data: 1 };
    let taken = false;
    for (const task of Array.from(this.#subscribed)) {
      const count = this.state.tasks.get(task)?.frame?.kind === "listen" ? 3 : 0;
      for (let filter = 0; filter < count; filter++)
        if (wantsEvent(this.state, task, filter, position, event, this.context)) {
          const before = this.#records.length;
          this.#feed({ type: "event-received", at: this.#now, task, position, event });
          taken ||= this.#records.length > before;
          break;
        }
    }
    return taken;
  }

  /** Facts about nothing change nothing. */
  #stale(): void {
    const before = serializeState(this.state);
    for (const fact of [
      { type: "attempt-ended", at: this.#now, task: 99_999, attempt: 1, outcome: { kind: "completed", output: 1 } },
      { type: "timer-fired", at: this.#now, timer: 99_999 },
      { type: "child-ended", at: this.#now, task: 1, runId: "run_none", outcome: { kind: "cancelled" } },
      { type: "look-up-ended", at: this.#now, task: 99_999, outcome: { kind: "absent" } },
    ] as const) {
      const { records, commands } = advance(this.state, fact, this.context);
      assert(records.length === 0 && commands.length === 0 && serializeState(this.state) === before, "a stale fact changes nothing");
    }
  }

  #resumeFrom(path: string): void {
    try {
      this.#operate({ kind: "resume", from: captureResumePoint(this.#records, path, this.context) });
    } catch (error) {
      if (!(error instanceof AppError) || error.code === "history-mismatch") throw error;
    }
  }

  #backOut(path: string | undefined): void {
    try {
      planBackOut(this.#records, this.context, path);
      this.#operate({ kind: "backout", ...(path !== undefined && { to: captureBackOutPoint(this.#records, path, this.context) }) });
    } catch (error) {
      if (!(error instanceof AppError) || error.code === "history-mismatch") throw error;
    }
  }

  #operate(action: OperatorAction): void {
    const before = serializeState(this.state);
    try {
      this.#feed({ type: "operator", at: this.#now, actor: "ana", reason: undefined, action });
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== "operation-not-possible") throw error;
      assert(serializeState(this.state) === before, "a refused word changes nothing");
    }
  }

  /** The run goes on, a copy read back from text goes on the same way, and so does one that knows only the records. */
  #feed(fact: Fact): void {
    const before = this.state.phase;
    const copy = deserializeState(serializeState(this.state));
    const advanced = advance(this.state, fact, this.context);
    const again = advance(copy, fact, this.context);
    assert(JSON.stringify(again) === JSON.stringify(advanced), "a state read back goes on to the same records and commands");
    if (advanced.records.length > 0)
      this.#mirror = replay(stored(advanced.records), this.context, deserializeState(serializeState(this.#mirror)));
    this.#take(advanced);
    assert(before !== "faulted" || this.state.phase === before || fact.type === "operator", "only a person moves a run at rest");
  }

  #take({ records, commands }: Advanced): void {
    this.#records.push(...records);
    for (const record of records) if (record.type === "attempt-intended") this.#intents.add(`${record.token} ${record.attempt}`);
    for (const command of commands) this.#carryOut(command);
    assert(jsonEqual(plain(this.#mirror), plain(this.state)), "replay gives the same state");
    this.#checkSummary();
    this.#checkReasons();
  }

  #carryOut(command: Command): void {
    switch (command.type) {
      case "start-attempt": {
        const key = effectKey(command);
        const label = `${command.path} attempt ${command.attempt}`;
        assert(command.effect === "read" || this.#intents.has(`${command.token} ${command.attempt}`), `${label} has its intent`);
        assert(!this.#attempts.has(key), `${label} is the only one of its effect`);
        assert(!this.#completedUnsafe.has(key), `${label}: a completed unsafe effect is not sent again`);
        command.renderInput({});
        this.#attempts.set(key, command);
        return;
      }
      case "look-up":
        this.#lookUps.add(command.task);
        return;
      case "set-timer":
        this.#timers.set(command.timer, command.dueAtMs);
        return;
      case "clear-timer":
        this.#timers.delete(command.timer);
        return;
      case "subscribe":
        this.#subscribed.add(command.task);
        return;
      case "unsubscribe":
        this.#subscribed.delete(command.task);
        return;
      case "acquire-slot":
        assert(!this.#slots.has(command.task), "a holder does not ask again");
        this.#asked.add(command.task);
        return;
      case "release-slot":
        assert(this.#slots.has(command.task) || this.#asked.has(command.task), "only what was asked for is let go");
        this.#slots.delete(command.task);
        this.#asked.delete(command.task);
        return;
      case "start-child": {
        if (!command.await) return;
        const known = this.#children.get(command.runId);
        if (known === undefined) this.#children.set(command.runId, { task: command.task, isRunning: true, isCancelled: false });
        else known.isRunning = true;
        return;
      }
      case "cancel-child": {
        const known = this.#children.get(command.runId);
        assert(known !== undefined, "only a child that was started is cancelled");
        known.isCancelled = true;
        return;
      }
      case "end-run":
        if (command.outcome.kind !== "faulted") assert(this.#slots.size + this.#asked.size === 0, "a run that ends lets all slots go");
        return;
      default:
    }
  }

  /** The summary reads counts; here they are made from the tasks. */
  #checkSummary(): void {
    const { state } = this;
    const summary = summarize(state);
    const naive: Record<string, number> = Object.fromEntries(Object.keys(state.counts).map((phase) => [phase, 0]));
    for (const task of state.tasks.values()) naive[task.phase] = (naive[task.phase] ?? 0) + 1;
    assert(jsonEqual(naive, state.counts), `the counts are those of the tasks: ${JSON.stringify(state.counts)}`);
    const detached = [...state.detached.values()];
    const endings = detached.filter((one) => one.status === "ending").length;
    const doubts = detached.filter((one) => one.status === "in-doubt").length;
    assert(state.endings === endings && state.doubts === doubts, "the counts are those of the detached attempts");
    assert(summary.inDoubt === doubts + (naive["in-doubt"] ?? 0), "doubts are counted");
    const inFlight = endings + (naive["running"] ?? 0) + (naive["looking-up"] ?? 0) > 0;
    assert(summary.isParked === !inFlight && (!inFlight || summary.isOutstanding), "what is in flight keeps a run in memory");
    const dues = [...state.timers.values()].filter((timer) => !isHeldBack(state, timer)).map((timer) => timer.dueAtMs);
    const wakes = state.phase === "active" && dues.length > 0 ? Math.min(...dues) : undefined;
    assert(summary.wakeAtMs === wakes, "it wakes for its earliest timer");
    if (state.phase === "completed" || state.phase === "cancelled")
      assert(state.tasks.size === 1 && state.timers.size === 0, "nothing is left in a run that has ended");
  }

  /** Never stuck without a reason: whatever does not move waits for something that is really there. */
  #checkReasons(): void {
    const { state } = this;
    if (state.phase === "completed" || state.phase === "cancelled") return;
    for (const detached of state.detached.values())
      if (detached.status === "ending") assert(this.#attempts.has(effectKey(detached)), `the end of task ${detached.task} will come`);
    if (state.isCancelled) return;
    for (const task of state.tasks.values())
      assert(this.#hasReason(task), `task ${task.id} is ${task.phase} for a reason: ${serializeState(state)}`);
    for (const task of state.tasks.values())
      assert(
        task.id === RUN_FRAME || liveChildren(state.tasks.get(task.parent) as Task).includes(task.id),
        `task ${task.id} is known to its parent`,
      );
  }

  #hasReason(task: Task): boolean {
    const { state } = this;
    const inner = liveChildren(task);
    if (task.unwinding?.stage === "stopping") return this.#isStopping(task);
    // Its inner tasks are stopped one by one; what the back-out waits for is seen at the task that is backed out.
    for (let outer = state.tasks.get(task.parent); outer !== undefined; outer = state.tasks.get(outer.parent))
      if (outer.unwinding?.stage === "stopping" && task.phase === "active") return true;
    const armed = (timer: number | undefined): boolean => timer !== undefined && state.timers.has(timer) && this.#timers.has(timer);
    switch (task.phase) {
      case "active":
        // The run has its output and is at rest or suspended: whoever resumes it completes it.
        if ((state.phase !== "active" || state.isPaused) && state.output !== undefined) return true;
        return inner.length > 0 && inner.every((id) => state.tasks.has(id));
      case "running":
        return [...this.#attempts.values()].some((attempt) => attempt.task === task.id && attempt.attempt === task.call?.attempt);
      case "looking-up":
        return this.#lookUps.has(task.id);
      case "waiting":
        return armed(task.timer);
      case "listening":
        return this.#subscribed.has(task.id) || inner.length > 0;
      case "child":
        return this.#children.get(task.childRunId ?? "")?.isRunning === true;
      case "queued":
        return this.#asked.has(task.id);
      case "held":
        return this.#isHeldRightly(task);
      case "in-doubt":
      case "failed":
        return true;
    }
  }

  /** Something inside has to come to its end first: a task, or an attempt that was left behind. */
  #isStopping(scope: Task): boolean {
    const { state } = this;
    for (const { status } of state.detached.values()) if (status === "ending" || status === "in-doubt") return true;
    for (const task of state.tasks.values()) {
      if (task.phase === "active" || task.id === scope.id) continue;
      for (let outer = state.tasks.get(task.parent); outer !== undefined; outer = state.tasks.get(outer.parent))
        if (outer.id === scope.id) return true;
    }
    return false;
  }

  #isHeldRightly(task: Task): boolean {
    const { state } = this;
    if (state.phase !== "active" || state.isPaused) return true;
    for (const earlier of state.detached.values()) if (earlier.status === "ending" && earlier.successor === task.id) return true;
    for (let outer = state.tasks.get(task.parent); outer !== undefined; outer = state.tasks.get(outer.parent))
      if (outer.phase === "queued") return true;
    return false;
  }
}

/** Tasks that look an effect up share its token; the path tells them apart from the attempt itself. */
function effectKey(attempt: { readonly token: string; readonly path: string }): string {
  return `${attempt.path} ${attempt.token}`;
}

function plain(state: RunState): Json {
  return JSON.parse(serializeState(state)) as Json;
}

/** Records as they come back from the store. */
function stored(records: readonly RunRecord[]): readonly RunRecord[] {
  return JSON.parse(JSON.stringify(records)) as RunRecord[];
}
