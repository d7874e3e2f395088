import { AppError, type CloudEvent, type JsonObject } from "@tutti/model";
import type { OperateRequest, Runtime } from "@tutti/runtime";
import type { MemoryDisk } from "@tutti/store";
import type { Monitor } from "./monitor.ts";
import type { Platform } from "./cluster.ts";
import type { Faults } from "./faults.ts";
import { must, Violation } from "./violation.ts";
import type { PlannedEvent, PlannedRun } from "./workload.ts";

/** Failures that a client meets while something is wrong, and asks again after. */
const PASSING: ReadonlySet<string> = new Set(["commit-outcome-unknown", "store-full", "stopping", "store-in-use", "run-elsewhere"]);

export interface ClientDeps {
  readonly node: Platform;
  readonly disk: MemoryDisk;
  readonly monitor: Monitor;
  readonly faults: Faults;
  readonly fail: (violation: Error) => void;
}

/** Whoever uses the platform from outside: asks until it is answered, and remembers every promise it was given. */
export class Client {
  /** Started runs by start key. */
  readonly runs = new Map<string, string>();
  readonly #events = new Map<string, number>();
  readonly #words = new Map<string, string>();
  readonly #deps: ClientDeps;

  constructor(deps: ClientDeps) {
    this.#deps = deps;
  }

  publish(document: JsonObject): void {
    const text = JSON.stringify(document);
    this.#insist(
      "publish",
      (runtime) => runtime.publish({ text }),
      () => {
        must(
          [...this.#deps.disk.definitions.values()].some((row) => row.text === text),
          "what is acknowledged is stored",
          () => text,
        );
      },
    );
  }

  begin(run: PlannedRun): void {
    const request = {
      namespace: "test",
      name: run.workflow,
      version: "1.0.0",
      input: run.input,
      labels: { kind: run.kind, key: run.startKey.replace(" ", "-") },
      startKey: run.startKey,
      actor: "person",
    };
    this.#insist(
      `start ${run.startKey}`,
      (runtime) => runtime.startRun(request),
      ({ runId }) => {
        const before = this.runs.get(run.startKey);
        must(before === undefined || before === runId, "a start key starts one run", () => `${run.startKey}: ${before} and ${runId}`);
        must(this.#deps.disk.runs.has(runId), "what is acknowledged is stored", () => `start of ${runId}`);
        this.runs.set(run.startKey, runId);
      },
    );
  }

  /** Lets the workflow's schedule start runs, or not. */
  schedule(name: string, isEnabled: boolean): void {
    this.#insist(
      `${isEnabled ? "enable" : "disable"} ${name}`,
      (runtime) => runtime.setSchedule("test", name, isEnabled),
      (view) => {
        must(view.isEnabled === isEnabled, "a schedule is as it was set", () => name);
      },
    );
  }

  send({ id, type }: PlannedEvent): void {
    const event: CloudEvent = { specversion: "1.0", id, source: "sim", type, data: 1 };
    const send = (): void =>
      this.#insist(
        `send ${id}`,
        (runtime) => runtime.acceptEvent(event),
        ({ position }) => {
          const before = this.#events.get(id);
          must(before === undefined || before === position, "an event is accepted once", () => `${id} at ${before} and ${position}`);
          this.#events.set(id, position);
          this.#checkEvent(id, position);
        },
      );
    send();
    if (this.#deps.faults.strikes("event-duplicated", "acceptEvent")) send();
  }

  /** Says something to a run; each `reason` once. Refusals are the run's good right. */
  say(runId: string, reason: string, action: OperateRequest["action"]): void {
    const { node, fail } = this.#deps;
    node.process?.ask((runtime) => runtime.operate({ runId, actor: "person", reason, action }), {
      resolved: () => {
        // A word that changes nothing is acknowledged and leaves no record.
        if (this.#deps.monitor.mirrors.get(runId)?.words.has(reason) === true) this.#words.set(reason, runId);
      },
      rejected: (error) => {
        if (!(error instanceof AppError)) fail(new Violation("a refusal has a reason", `${action.kind}: ${textOf(error)}`));
      },
      died: () => undefined,
    });
  }

  /** Everything that was ever acknowledged is there. */
  check(): void {
    const { disk, monitor } = this.#deps;
    for (const runId of this.runs.values()) must(disk.runs.has(runId), "what is acknowledged is stored", () => `run ${runId}`);
    for (const [id, position] of this.#events) this.#checkEvent(id, position);
    for (const [reason, runId] of this.#words)
      must(monitor.mirrors.get(runId)?.words.has(reason) === true, "what is acknowledged is stored", () => `${reason} of ${runId}`);
  }

  #checkEvent(id: string, position: number): void {
    const stored = this.#deps.disk.events.find((event) => event.position === position);
    must(stored?.id === id, "what is acknowledged is stored", () => `event ${id} at ${position}`);
  }

  #insist<T>(label: string, wish: (runtime: Runtime) => Promise<T>, resolved: (value: T) => void): void {
    const { node, fail } = this.#deps;
    node.insist(label, wish, {
      resolved: (value) => {
        try {
          resolved(value);
        } catch (error) {
          fail(error instanceof Error ? error : new Error(String(error)));
        }
      },
      mayRetry: (error) => {
        if (error instanceof AppError && PASSING.has(error.code)) return true;
        fail(new Violation("a wish is granted", `${label}: ${textOf(error)}`));
        return false;
      },
    });
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
