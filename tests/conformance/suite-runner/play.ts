import { lintDocument } from "@tutti/definition";
import type { RunRecord, RunView, TaskView } from "@tutti/engine";
import { AppError, type CloudEvent, errorKindOf, isJsonObject, type Json } from "@tutti/model";
import type { OperateRequest } from "@tutti/runtime";
import type { RunRow } from "@tutti/store";
import { VirtualClock } from "@tutti/testkit";
import type { CrashPlan } from "../../restart/positions.ts";
import type { Step, When, Word } from "./case-format.ts";
import type { SuiteCase } from "./case-file.ts";
import { type Ground, groundOf, type StoreKind } from "./ground.ts";
import { Life } from "./life.ts";
import { type Delivery, StandIns } from "./stand-ins.ts";
import type { Surroundings } from "./surroundings.ts";

/** What could be seen of a case from outside. */
export interface Observed {
  /** Rules of the linter that refuse the document; nothing was run. */
  readonly refusedBy: readonly string[];
  /** Code of the error that the start of the run was refused with. */
  readonly startRefused: string | undefined;
  /** `main`, those that steps started, and children by the name of their workflow. */
  readonly runs: ReadonlyMap<string, RunView>;
  readonly records: readonly RunRecord[];
  readonly deliveries: readonly Delivery[];
  readonly effects: ReadonlyMap<string, number>;
  readonly emitted: readonly CloudEvent[];
  /** What went wrong besides the expectations: steps that never became due, secrets where they must not be. */
  readonly problems: readonly string[];
  readonly deaths: number;
}

/** A small case has a dozen positions; more deaths than this and something goes round in circles. */
const LIVES_MAX = 200;
const EVENTS_MAX = 1000;
const RECORDS_MAX = 2000;
const RUNS_MAX = 100;
/** To publish once more changes nothing: in so many lives after the first that is tried, in the others it would be most of their work. */
const PUBLISHED_AGAIN_MAX = 1;
/** A secret shorter than this may occur by chance. */
const SECRET_LENGTH_MIN = 6;
const LIFECYCLE_EVENT = /^io\.(?:serverlessworkflow|open-workflow-specification)\./;
const EVENT_SOURCE = "https://outside.test";
const SENT_ID = "step-";
/** Real time of one play, a thousand times the usual: what takes longer goes round in circles, also on a machine that is full. */
const PLAY_MS_MAX = 180_000;
/** Virtual time that a case may take: days of waiting are part of some, going round for ever is not. */
const CASE_MS_MAX = 400 * 24 * 60 * 60 * 1000;

export interface PlayOptions {
  /** In place of the usual ones. */
  readonly limits?: { readonly snapshotAfterRecords: number };
}

/** Plays a case to its end on a store of the kind, or on this one, with as many deaths of the process as the plan asks for. */
export async function play(one: SuiteCase, on: StoreKind | Ground, plan: CrashPlan, options: PlayOptions = {}): Promise<Observed> {
  const refusedBy = [...one.documents.keys()].flatMap((name) =>
    lintDocument(textOf(one, name)).flatMap((finding) => (finding.severity === "error" ? [finding.rule] : [])),
  );
  if (refusedBy.length > 0) return { ...NOTHING, refusedBy };
  return new Game(one, typeof on === "string" ? groundOf(on) : on, plan, options).play();
}

function textOf(one: SuiteCase, name: string): string {
  return one.texts?.get(name) ?? JSON.stringify(one.documents.get(name));
}

const NOTHING: Observed = {
  refusedBy: [],
  startRefused: undefined,
  runs: new Map(),
  records: [],
  deliveries: [],
  effects: new Map(),
  emitted: [],
  problems: [],
  deaths: 0,
};

class Game {
  readonly #case: SuiteCase;
  readonly #ground: Ground;
  readonly #options: PlayOptions;
  readonly #plan: CrashPlan;
  readonly #clock = new VirtualClock();
  readonly #standIns: StandIns;
  readonly #problems: string[] = [];
  readonly #started = new Map<string, string>();
  /** Documents whose publication was acknowledged. */
  readonly #published = new Set<string>();
  #surroundings: Surroundings | undefined;
  readonly #untilMs = performance.now() + PLAY_MS_MAX;
  #nextStep = 0;
  #deaths = 0;

  constructor(one: SuiteCase, ground: Ground, plan: CrashPlan, options: PlayOptions) {
    this.#case = one;
    this.#ground = ground;
    this.#options = options;
    this.#plan = plan;
    this.#standIns = new StandIns(one, this.#clock);
  }

  async play(): Promise<Observed> {
    try {
      this.#surroundings = await this.#case.surround?.();
      for (let lives = 0; lives < LIVES_MAX; lives += 1) {
        const store = this.#ground.open();
        const life = new Life({
          store,
          clock: this.#clock,
          standIns: this.#standIns,
          secrets: this.#case.scene.secrets ?? {},
          plan: this.#plan,
          // The same for all plays of a case, so that they can be compared.
          installationId: `${process.pid} ${this.#case.id}`,
          surroundings: this.#surroundings,
          limits: this.#options.limits,
          report: (message, cause) => void this.#problems.push(`${message} ${cause instanceof Error ? cause.message : ""}`),
        });
        try {
          const observed = await this.#live(life);
          if (observed !== undefined) return observed;
        } finally {
          life.die();
          this.#standIns.cut();
          await this.#ground.died(store);
        }
        this.#deaths += 1;
      }
      throw new Error(`the case did not end in ${LIVES_MAX} lives`);
    } finally {
      await this.#surroundings?.close();
      this.#ground.remove();
    }
  }

  /** One life of the process. Undefined when it died. */
  async #live(life: Life): Promise<Observed | undefined> {
    if ((await life.settle(life.runtime.start())) === undefined) return undefined;
    try {
      for (const name of this.#case.documents.keys()) {
        if (this.#published.has(name) && this.#deaths > PUBLISHED_AGAIN_MAX) continue;
        const baseDirectory = this.#surroundings?.baseDirectory;
        const document = { text: textOf(this.#case, name), ...(baseDirectory !== undefined && { baseDirectory }) };
        if ((await life.settle(life.runtime.publish(document))) === undefined) return undefined;
        this.#published.add(name);
      }
      const isBegun = this.#case.scene.schedule === true ? await this.#enable(life) : await this.#start(life, { as: "main" });
      if (!isBegun) return undefined;
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      return { ...NOTHING, startRefused: error.code, problems: this.#problems, deaths: this.#deaths };
    }
    for (;;) {
      if (performance.now() > this.#untilMs)
        throw new Error(`the case does not end; time is ${this.#clock.monotonicMs()} ms, step ${this.#nextStep + 1} is next`);
      if (!(await life.calm())) return undefined;
      await this.#noteScheduled(life);
      const moved = await this.#move(life);
      if (moved === "died") return undefined;
      if (moved === "moved") continue;
      if (await this.#isOver(life)) break;
      if (!(await this.#passTime(life))) break;
    }
    if (this.#steps.length > this.#nextStep) this.#problems.push(`step ${this.#nextStep + 1} never became due`);
    return this.#observe(life);
  }

  get #steps(): readonly Step[] {
    return this.#case.scene.steps ?? [];
  }

  async #start(
    life: Life,
    start: { readonly as: string; readonly workflow?: string | undefined; readonly input?: Json | undefined },
  ): Promise<boolean> {
    const input = start.as === "main" ? (this.#case.scene.input ?? null) : (start.input ?? null);
    const request = { ...this.#headOf(start.workflow ?? "main"), input, actor: "suite", startKey: start.as };
    const started = await life.settle(life.runtime.startRun(request));
    if (started === undefined) return false;
    this.#started.set(start.as, started.value.runId);
    return true;
  }

  #headOf(workflow: string): { readonly namespace: string; readonly name: string; readonly version: string } {
    const head = this.#case.documents.get(workflow)?.["document"];
    if (!isJsonObject(head)) throw new Error(`${this.#case.place}: there is no workflow ${workflow}`);
    const { namespace = "", name = "", version = "" } = head as Record<string, string>;
    return { namespace, name, version };
  }

  /** In each life anew: enabling what is enabled changes nothing. */
  async #enable(life: Life): Promise<boolean> {
    const { namespace, name } = this.#headOf("main");
    return (await life.settle(life.runtime.setSchedule(namespace, name, true))) !== undefined;
  }

  /** The first run that a schedule has started is the one that is judged. */
  async #noteScheduled(life: Life): Promise<void> {
    if (this.#case.scene.schedule !== true || this.#started.has("main")) return;
    const [first] = await this.#rows(life);
    if (first !== undefined) this.#started.set("main", first.runId);
  }

  /** Does what is due and needs no time. */
  async #move(life: Life): Promise<"moved" | "died" | "still"> {
    const settled = await this.#settleCrashDoubt(life);
    if (settled !== "still") return settled;
    const step = this.#steps[this.#nextStep];
    if (step === undefined || !(await this.#isDue(step, life))) return "still";
    if (!(await this.#carryOut(step, life))) return "died";
    this.#nextStep += 1;
    return "moved";
  }

  async #isDue(step: Step, life: Life): Promise<boolean> {
    if (await this.#wasSaid(step, life)) return true;
    if (step.after !== undefined && this.#clock.monotonicMs() < step.after) return false;
    return step.when === undefined || this.#holds(step.when, step.run, life);
  }

  async #holds(when: When, run: string, life: Life): Promise<boolean> {
    if (typeof when !== "string" && "calls" in when) return this.#standIns.deliveries.length >= when.calls;
    const runId = await this.#runIdOf(typeof when === "string" ? run : (when.run ?? run), life);
    if (runId === undefined) return false;
    if (typeof when === "string") return (await life.runtime.loadRow(runId)).status === when;
    const view = await life.runtime.show(runId);
    return allTasks(view.tasks).some((task) => names(when.task, task) && task.status === when.is);
  }

  async #carryOut(step: Step, life: Life): Promise<boolean> {
    const { send, start, operator } = step;
    if (send !== undefined) {
      const event = { specversion: "1.0", id: `${SENT_ID}${this.#nextStep}`, source: EVENT_SOURCE, ...send } as unknown as CloudEvent;
      if ((await life.settle(life.runtime.acceptEvent(event))) === undefined) return false;
    }
    if (start !== undefined && !(await this.#start(life, start))) return false;
    return operator === undefined || this.#operate(step, operator, life);
  }

  /** An operator's word may have been said by a life that died before it was told that it was heard; the state has moved on since. */
  async #wasSaid(step: Step, life: Life): Promise<boolean> {
    const runId = step.operator === undefined || this.#deaths === 0 ? undefined : await this.#runIdOf(step.run, life);
    if (runId === undefined) return false;
    return (await this.#records(runId, life)).some((record) => record.type === "operator" && record.actor === `step-${this.#nextStep}`);
  }

  async #operate(step: Step, word: Word, life: Life): Promise<boolean> {
    const runId = (await this.#runIdOf(step.run, life)) ?? "";
    const actor = `step-${this.#nextStep}`;
    if (await this.#wasSaid(step, life)) return true;
    let refused: string | undefined;
    try {
      if ((await life.settle(life.runtime.operate({ runId, actor, action: actionOf(word) }))) === undefined) return false;
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      refused = error.code;
    }
    if (refused !== step.refused)
      this.#problems.push(
        `step ${this.#nextStep + 1} is ${refused === undefined ? "accepted" : `refused: ${refused}`}, expected ${step.refused ?? "accepted"}`,
      );
    return true;
  }

  /**
   * A death may leave an `unsafe` effect in doubt. Then somebody looks at the target, as a person would, and says what is there; doubts that
   * belong to the case are its own steps' business.
   */
  async #settleCrashDoubt(life: Life): Promise<"moved" | "died" | "still"> {
    if (this.#deaths === 0) return "still";
    for (const row of await this.#rows(life)) {
      if (row.inDoubt === 0) continue;
      const view = await life.runtime.show(row.runId);
      const records = await this.#records(row.runId, life);
      for (const task of allTasks(view.tasks)) {
        if (task.status !== "in-doubt" || !isCrashDoubt(records, task)) continue;
        const { hasEffect, output } = this.#standIns.look(task.token ?? "");
        const verdict = hasEffect ? ({ kind: "done", output } as const) : ({ kind: "not-done", then: "run" } as const);
        const action = { kind: "settle", task: String(task.task), verdict } as const;
        return (await life.settle(life.runtime.operate({ runId: row.runId, actor: "attendant", action }))) === undefined ? "died" : "moved";
      }
    }
    return "still";
  }

  /** Whether nothing can happen any more by itself, and no step is left. */
  async #isOver(life: Life): Promise<boolean> {
    if (this.#nextStep < this.#steps.length) return false;
    const { stopAfter } = this.#case.scene;
    if (stopAfter !== undefined) return this.#clock.monotonicMs() >= stopAfter;
    return (await this.#rows(life)).every((row) => row.status !== "running" && (row.status !== "waiting" || row.wakeAtMs === undefined));
  }

  /** Moves time on to the next moment at which something may happen; false when there is none. */
  async #passTime(life: Life): Promise<boolean> {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs > CASE_MS_MAX) throw new Error("the case does not end");
    const { stopAfter } = this.#case.scene;
    const stops = [this.#steps[this.#nextStep]?.after, this.#nextStep < this.#steps.length ? undefined : stopAfter];
    const stopMs = Math.min(...stops.filter((at): at is number => at !== undefined && at > nowMs), Infinity);
    const wakeMs = await this.#nextWakeMs(life);
    if (wakeMs !== undefined && wakeMs > nowMs) {
      await this.#clock.advance(Math.min(wakeMs, stopMs) - nowMs);
      return true;
    }
    const isAtRest = (await this.#rows(life)).every((row) => row.status !== "running" && !row.isOutstanding && row.wakeAtMs === undefined);
    const nextMs = isAtRest ? undefined : this.#clock.nextDueMs();
    if (nextMs !== undefined && nextMs <= stopMs) return this.#clock.advanceToNext();
    if (stopMs === Infinity) return false;
    await this.#clock.advance(stopMs - nowMs);
    return true;
  }

  /** When every run is parked: the earliest time at which one goes on, or a schedule starts one. Hours of waiting are then passed in one go. */
  async #nextWakeMs(life: Life): Promise<number | undefined> {
    let earliest = life.runtime.nextTickAt();
    for (const row of await this.#rows(life)) {
      if (row.status === "running" || row.isOutstanding) return undefined;
      if (row.wakeAtMs !== undefined) earliest = Math.min(earliest ?? Infinity, row.wakeAtMs);
    }
    return earliest === undefined ? undefined : earliest - (this.#clock.wallClockMs() - this.#clock.monotonicMs());
  }

  async #rows(life: Life): Promise<readonly RunRow[]> {
    return (await life.runtime.list({ limit: RUNS_MAX })).runs.toReversed();
  }

  async #runIdOf(name: string, life: Life): Promise<string | undefined> {
    return this.#started.get(name) ?? (await this.#children(life)).get(name);
  }

  /** Children by the name of their workflow; from the second on with its number: `child`, `child#2`. */
  async #children(life: Life): Promise<ReadonlyMap<string, string>> {
    const known = new Set(this.#started.values());
    const children = new Map<string, string>();
    for (const row of await this.#rows(life)) {
      if (known.has(row.runId)) continue;
      let name = row.name;
      for (let number = 2; children.has(name) || this.#started.has(name); number += 1) name = `${row.name}#${number}`;
      children.set(name, row.runId);
    }
    return children;
  }

  async #records(runId: string, life: Life): Promise<readonly RunRecord[]> {
    return (await life.runtime.records(runId, 1, RECORDS_MAX)).map(({ record }) => record as unknown as RunRecord);
  }

  async #observe(life: Life): Promise<Observed> {
    const runs = new Map<string, RunView>();
    for (const [name, runId] of [...this.#started, ...(await this.#children(life))]) runs.set(name, await life.runtime.show(runId));
    const events = (await life.runtime.listEvents(EVENTS_MAX))
      .toSorted((left, right) => left.position - right.position)
      .map((event) => JSON.parse(event.body) as CloudEvent);
    const records = await Promise.all([...runs.values()].map((view) => this.#records(view.runId, life)));
    this.#lookForSecrets(JSON.stringify([records, [...runs.values()], events]));
    return {
      ...NOTHING,
      runs,
      records: records[0] ?? [],
      deliveries: this.#standIns.deliveries,
      effects: this.#standIns.effects(),
      emitted: events.filter((event) => !isSent(event) && !LIFECYCLE_EVENT.test(event.type)),
      problems: [...this.#problems, ...(this.#surroundings?.problems() ?? [])],
      deaths: this.#deaths,
    };
  }

  #lookForSecrets(kept: string): void {
    for (const [name, value] of Object.entries(this.#case.scene.secrets ?? {})) {
      for (const text of textsOf(value)) {
        if (text.length >= SECRET_LENGTH_MIN && kept.includes(JSON.stringify(text).slice(1, -1)))
          this.#problems.push(`the secret ${name} stands in what is kept`);
      }
    }
  }
}

/** Whether a step sent the event, under the suite's source or with its id. */
function isSent({ source, id }: CloudEvent): boolean {
  return source === EVENT_SOURCE || id.startsWith(SENT_ID);
}

/** Whether the death of the process made the doubt. One whose time was over is the case's own, also when the process died just then. */
function isCrashDoubt(records: readonly RunRecord[], task: TaskView): boolean {
  if (task.error !== undefined && errorKindOf(task.error.type) === "timeout") return false;
  const tasks = new Set(
    records.flatMap((record) => (record.type === "attempt-intended" && record.token === task.token ? [record.task] : [])),
  );
  const last = records.findLast((record) => record.type === "attempt-ended" && tasks.has(record.task));
  return last?.type === "attempt-ended" && last.outcome.kind === "unknown" && last.outcome.reason === "crash";
}

export function allTasks(tasks: readonly TaskView[]): readonly TaskView[] {
  return tasks.flatMap((task) => [task, ...allTasks(task.children)]);
}

/** A task by its name, or by the end of its path. */
export function names(text: string, task: TaskView): boolean {
  return task.name === text || task.path === text || task.path.endsWith(text.startsWith("/") ? text : `/${text}`);
}

function textsOf(value: Json): readonly string[] {
  if (typeof value === "string") return [value];
  if (value === null || typeof value !== "object") return [];
  return Object.values(value).flatMap((item) => textsOf(item as Json));
}

function actionOf(word: Word): OperateRequest["action"] {
  if (typeof word === "string") return { kind: word };
  if ("resume" in word) {
    const { from, input, outputs } = word.resume;
    return {
      kind: "resume",
      ...(from !== undefined && { from }),
      ...(input !== undefined && { setInput: input }),
      ...(outputs !== undefined && { outputs }),
    };
  }
  if ("backout" in word) return { kind: "backout", to: word.backout.to };
  if ("retry" in word) return { kind: "retry", task: word.retry };
  if ("skip" in word) {
    const { task, output } = word.skip;
    return { kind: "skip", task, ...(output !== undefined && { output }) };
  }
  const { settle } = word;
  return {
    kind: "settle",
    task: settle.task,
    verdict: "done" in settle ? { kind: "done", output: settle.done } : { kind: "not-done", then: settle.notDone },
  };
}
