import type { Json } from "@tutti/model";
import type { OperateRequest } from "@tutti/runtime";
import type { MemoryDisk } from "@tutti/store";
import type { Random } from "@tutti/testkit";
import type { Client } from "./client.ts";
import type { Faults } from "./faults.ts";
import type { Mirror, Monitor } from "./monitor.ts";
import type { Platform } from "./cluster.ts";
import type { Scheduler } from "./scheduler.ts";
import type { SimWorld } from "./sim-world.ts";
import { Violation } from "./violation.ts";

const WORD_EVERY_MS = 1000;
const LOOK_EVERY_MS = 5000;
const EVENTS_EVERY_LOOKS = 4;
/** Times that a run is resumed that fails as a whole, or cannot be undone: then it is given up. */
const RESUMES_MAX = 3;
const RUN_FRAME = 0;

export interface OperatorDeps {
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly faults: Faults;
  readonly monitor: Monitor;
  readonly disk: MemoryDisk;
  readonly world: SimWorld;
  readonly client: Client;
  readonly node: Platform;
}

type Action = OperateRequest["action"];

/** People: one who says anything at any time to runs of the kind `chaos`, and one who settles doubts by looking at the world. */
export class Operator {
  readonly #deps: OperatorDeps;
  #words = 0;
  #looks = 0;
  readonly #resumes = new Map<string, number>();
  #isEnding = false;

  constructor(deps: OperatorDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#later(WORD_EVERY_MS, "operator", () => {
      if (this.#deps.faults.strikes("operator", "operate")) this.#sayAnything();
    });
    this.#later(LOOK_EVERY_MS, "settler", () => this.#settle());
  }

  /** From now on somebody helps wherever a run can't go on by itself, and the events that listeners wait for come again and again. */
  help(): void {
    this.#later(LOOK_EVERY_MS, "helper", () => {
      this.#looks += 1;
      if (!this.#isEnding && this.#looks % EVENTS_EVERY_LOOKS === 0)
        for (const type of ["a", "b"]) this.#deps.client.send({ id: `help ${type} ${this.#looks}`, type, atMs: 0 });
      for (const mirror of this.#deps.monitor.mirrors.values()) this.#help(mirror);
    });
  }

  /** What is left waits with reason: it is cancelled. */
  endAll(): void {
    this.#isEnding = true;
    for (const mirror of this.#deps.monitor.mirrors.values()) this.#end(mirror);
  }

  /** @throws Violation when a run is not at its end, with why. */
  checkEnd(): void {
    for (const mirror of this.#deps.monitor.mirrors.values()) {
      if (mirror.status === "completed" || mirror.status === "cancelled") continue;
      const tasks = [...mirror.state.tasks.values()].map(({ id, phase, timer, key }) => ({ id, phase, timer, key }));
      const row = this.#deps.disk.runs.get(mirror.runId)?.row;
      throw new Violation(
        "every run comes to its end",
        `${mirror.runId} is ${mirror.status}: ${JSON.stringify({ row, tasks, timers: [...mirror.state.timers.values()] })}`,
      );
    }
    this.#checkLeftovers();
  }

  /** Of runs that are over nothing is left that others would wait for, or that would wake them. */
  #checkLeftovers(): void {
    const { disk } = this.#deps;
    for (const [key, entries] of disk.slots)
      if (entries.length > 0)
        throw new Violation("nothing is left behind", `slot ${key} of runs that are over: ${JSON.stringify(entries)}`);
    for (const [runId, { subscriptions }] of disk.runs)
      if (subscriptions.size > 0)
        throw new Violation("nothing is left behind", `${runId} is over and listens: ${JSON.stringify([...subscriptions.values()])}`);
  }

  #later(everyMs: number, label: string, work: () => void): void {
    this.#deps.scheduler.after(this.#deps.random.next() * everyMs * 2, label, () => {
      if (this.#deps.node.isUp) work();
      this.#later(everyMs, label, work);
    });
  }

  #say(mirror: Mirror, action: Action): void {
    this.#words += 1;
    this.#deps.client.say(mirror.runId, `word ${this.#words}`, action);
  }

  #sayAnything(): void {
    const { random, monitor } = this.#deps;
    const runs = [...monitor.mirrors.values()].filter(({ runId }) => !monitor.isStrict(runId));
    if (runs.length === 0) return;
    const mirror = random.pick(runs);
    const tasks = [...mirror.state.tasks.keys()];
    const task = String(random.pick(tasks));
    const paths = mirror.context.program.nodes.map((node) => node.path);
    const value: Json = { by: "hand" };
    const action = random.pick<Action>([
      { kind: "pause" },
      { kind: "pause" },
      { kind: "resume" },
      { kind: "resume" },
      { kind: "resume", setInput: value },
      { kind: "resume", from: random.pick(paths) },
      { kind: "retry" },
      { kind: "retry", task },
      { kind: "skip", task, output: value },
      { kind: "settle", task, verdict: { kind: "done", output: value } },
      { kind: "settle", task, verdict: { kind: "not-done", then: "run" } },
      { kind: "settle", task, verdict: { kind: "not-done", then: "fail" } },
      { kind: "cancel" },
      { kind: "kill" },
      { kind: "backout" },
      { kind: "backout", to: random.pick(paths) },
    ]);
    this.#say(mirror, action);
  }

  #settle(): void {
    for (const mirror of this.#deps.monitor.mirrors.values()) this.#settleDoubts(mirror);
  }

  /** Says of each doubt what the world says; waits where it is too early. True when something was said. */
  #settleDoubts(mirror: Mirror): boolean {
    const { world } = this.#deps;
    for (const task of mirror.state.tasks.values()) {
      if (task.phase !== "in-doubt" || task.call === undefined) continue;
      const truth = world.truthOf(task.call.token);
      if (truth.kind === "open") continue;
      const verdict = truth.kind === "done" ? truth : ({ kind: "not-done", then: "run" } as const);
      this.#say(mirror, { kind: "settle", task: String(task.id), seen: mirror.records.length, verdict });
      return true;
    }
    if (mirror.state.unwinding.length === 0) return false;
    // What was left behind holds a back-out as long as nobody knows what it did.
    for (const left of mirror.state.detached.values()) {
      const truth = left.status === "in-doubt" ? world.truthOf(left.token) : { kind: "open" as const };
      if (truth.kind === "open") continue;
      const verdict = truth.kind === "done" ? truth : ({ kind: "not-done", then: "fail" } as const);
      this.#say(mirror, { kind: "settle", task: String(left.task), seen: mirror.records.length, verdict });
      return true;
    }
    return false;
  }

  #help(mirror: Mirror): void {
    const { monitor } = this.#deps;
    const { state } = mirror;
    if (mirror.status === "completed" || mirror.status === "cancelled") return;
    if (this.#settleDoubts(mirror)) return;
    if (mirror.status === "quarantined") return this.#say(mirror, { kind: "resume" });
    if (monitor.isStrict(mirror.runId) && !this.#isEnding) return;
    if (this.#isEnding) return this.#end(mirror);
    if (state.isPaused) return this.#say(mirror, { kind: "resume" });
    if (state.phase !== "faulted") return;
    const failed = [...state.tasks.values()].find((task) => task.phase === "failed");
    if (failed === undefined || failed.id === RUN_FRAME) return this.#resume(mirror);
    this.#say(mirror, { kind: "skip", task: String(failed.id), output: 1 });
  }

  #resume(mirror: Mirror): void {
    const resumes = (this.#resumes.get(mirror.runId) ?? 0) + 1;
    this.#resumes.set(mirror.runId, resumes);
    this.#say(mirror, { kind: resumes > RESUMES_MAX ? "kill" : "resume" });
  }

  #end(mirror: Mirror): void {
    if (mirror.status === "completed" || mirror.status === "cancelled") return;
    if (!mirror.state.isCancelled) return this.#say(mirror, { kind: "cancel" });
    // What it did is being undone. Undos that fail are tried again before the run is given up.
    if (mirror.status === "suspended") return this.#say(mirror, { kind: "resume" });
    if (mirror.status === "faulted") this.#resume(mirror);
  }
}
