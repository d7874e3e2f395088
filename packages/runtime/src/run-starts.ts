import { hash } from "node:crypto";
import { AppError, DEFAULT_TENANT, type Json, jsonEqual, PAYLOAD_BYTES_MAX } from "@tutti/model";
import type { RunRow, Store } from "@tutti/store";
import type { Env } from "./env.ts";
import { ANSWER_WITHIN_MS, type NodeMail } from "./node-mail.ts";
import { checkValue } from "./output-check.ts";
import { describeUnsupported, type NewRun } from "./run-starter.ts";
import type { LoadedProgram } from "./program-cache.ts";
import type { StartRunRequest } from "./runtime.ts";
import type { RuntimeParts } from "./runtime-parts.ts";

/** A node with a single shard finds an id in it with near certainty. */
const IDS_DRAWN_MAX = 1000;
/** Between two looks for a run that another node was asked to start: longer each time. */
const LOOK_FOR_START_MS = 20;
const LOOK_FOR_START_MAX_MS = 2000;

export interface StartedRun {
  readonly runId: string;
  /** False when a start with the same key had made it before. */
  readonly created: boolean;
}

/** What a start would begin with. */
export interface CheckedStart {
  readonly program: LoadedProgram;
  readonly input: Json;
}

export interface RunStartsDeps {
  readonly store: Store;
  readonly env: Env;
  /** See `RuntimeDeps`; empty where there is none. */
  readonly installationId: string;
  /** Throws when the runtime is not started, or has stopped. */
  readonly parts: () => RuntimeParts;
  /** The caller is about to hear of it. */
  readonly acknowledge: (runId: string) => void;
}

/** Starts of runs that are asked for from outside: checks what is given, starts once by a key, and on the node that owns the run's shard. */
export class RunStarts {
  readonly #deps: RunStartsDeps;
  /** The last start under way by run id, for starts with a key. */
  readonly #turns = new Map<string, Promise<void>>();

  constructor(deps: RunStartsDeps) {
    this.#deps = deps;
  }

  /** The program and the input of a start, checked. @throws AppError `definition-not-found`, `definition-unsupported`, `input-invalid`, `payload-too-large`. */
  async check(request: Omit<StartRunRequest, "actor">): Promise<CheckedStart> {
    return this.checkWith(await this.#deps.parts().programs.get(request.namespace, request.name, request.version), request);
  }

  /** The same with a program that need not be published. */
  async checkWith(program: LoadedProgram, request: Pick<StartRunRequest, "input" | "replayOf">): Promise<CheckedStart> {
    const label = `${program.definition.namespace}/${program.definition.name} ${program.definition.version}`;
    const unsupported = describeUnsupported(program);
    if (unsupported !== undefined) throw new AppError("definition-unsupported", `${label} can't be run: ${unsupported}.`);
    const input = await this.#inputOf(request);
    const problem = program.context.program.input.schema?.(input);
    if (problem !== undefined)
      throw new AppError("input-invalid", `The input of ${label} does not fit its schema: ${problem}`, { details: { problem } });
    return { program, input };
  }

  /**
   * @throws AppError as `check`; `run-exists` when the key belongs to another start; `commit-outcome-unknown` when the run may still be started.
   */
  async start(request: StartRunRequest): Promise<StartedRun> {
    const parts = this.#deps.parts();
    const { program, input } = await this.check(request);
    const given = {
      program,
      input,
      labels: request.labels ?? {},
      actor: request.actor,
      ...(request.replayOf === undefined ? {} : { replayOf: request.replayOf }),
    };
    if (request.startKey !== undefined) return this.#startOnce(this.runIdOf(request.startKey), request, given);
    const runId = this.#newRunId(parts);
    await this.#begin({ runId, ...given });
    this.#deps.acknowledge(runId);
    return { runId, created: true };
  }

  /** The row of this id decides which of two starts with the same key is the first. */
  runIdOf(startKey: string): string {
    const digest = BigInt(`0x${hash("sha256", `${this.#deps.installationId}\0${DEFAULT_TENANT}\0${startKey}`, "hex")}`);
    return `run_${digest.toString(36).padStart(16, "0").slice(-16)}`;
  }

  async #inputOf(request: Pick<StartRunRequest, "input" | "replayOf">): Promise<Json> {
    let { input } = request;
    if (request.replayOf !== undefined && input === null) {
      const [first] = await this.#deps.parts().history.records(request.replayOf, 1);
      if (first?.type === "run-started") ({ input } = first);
    }
    const checked = checkValue(input);
    if (checked.kind === "plain") return checked.value;
    throw new AppError(checked.kind === "too-large" ? "payload-too-large" : "input-invalid", `The input is refused: ${checked.why}.`, {
      details: { limit: PAYLOAD_BYTES_MAX },
    });
  }

  /** Starts with one key take turns; the run's row decides which was the first, also over restarts. */
  async #startOnce(runId: string, request: StartRunRequest, given: Omit<NewRun, "runId">): Promise<StartedRun> {
    const before = this.#turns.get(runId) ?? Promise.resolve();
    const starting = before.then(async () => {
      const known = await this.#deps.store.loadRun(runId);
      if (known !== undefined) return this.#sameStart(known, request, given.input);
      const isHere = await this.#begin({ runId, ...given });
      // Somebody else may have started it with this key by way of yet another node.
      const started = isHere ? undefined : await this.#deps.store.loadRun(runId);
      if (started !== undefined) await this.#sameStart(started, request, given.input);
      this.#deps.acknowledge(runId);
      return { runId, created: true };
    });
    // The next one's turn comes whatever became of this one.
    const turn = starting.then(
      () => undefined,
      () => undefined,
    );
    this.#turns.set(runId, turn);
    void turn.then(() => {
      if (this.#turns.get(runId) === turn) this.#turns.delete(runId);
    });
    return starting;
  }

  /** An id in a shard of this node where that is possible: then the run is started here. */
  #newRunId({ ownership, shared }: RuntimeParts): string {
    for (let attempt = 0; ; attempt += 1) {
      const runId = `run_${this.#deps.env.randomId()}`;
      if (shared === undefined || ownership.leaseOf(runId)?.mode === "open" || attempt >= IDS_DRAWN_MAX) return runId;
    }
  }

  /** Resolves when the run is stored. False when it was another node that has started it. */
  async #begin(run: NewRun): Promise<boolean> {
    const { shared, ownership, starter } = this.#deps.parts();
    const isHere = shared === undefined || ownership.leaseOf(run.runId)?.mode === "open";
    if (isHere) await starter.create(run);
    else await this.#startElsewhere(shared.mail, run);
    return isHere;
  }

  /** Resolves when the owner of the run's shard has started it. */
  async #startElsewhere(mail: NodeMail, { runId, program, input, labels, actor, replayOf }: NewRun): Promise<void> {
    const { env, store } = this.#deps;
    const { namespace, name, version } = program.definition;
    const more = replayOf === undefined ? {} : { replayOf };
    await mail.start(runId, { type: "run-start", workflow: { namespace, name, version }, input, labels, actor, ...more });
    const untilMs = env.monotonicMs() + ANSWER_WITHIN_MS;
    for (let pauseMs = LOOK_FOR_START_MS; env.monotonicMs() < untilMs; pauseMs = Math.min(pauseMs * 2, LOOK_FOR_START_MAX_MS)) {
      await new Promise<void>((resolve) => void env.setTimer(pauseMs, resolve));
      if ((await store.loadRun(runId)) !== undefined) return;
    }
    throw new AppError("commit-outcome-unknown", `No node has started run ${runId} yet; it may still be started.`, { details: { runId } });
  }

  /** The answer to a second start with the same key. */
  async #sameStart(known: RunRow, request: StartRunRequest, input: Json): Promise<StartedRun> {
    const { runId } = known;
    const [first] = await this.#deps.parts().history.records(runId, 1);
    const isSame =
      first?.type === "run-started" &&
      known.namespace === request.namespace &&
      known.name === request.name &&
      jsonEqual(first.input, input);
    if (isSame) return { runId, created: false };
    throw new AppError("run-exists", `The start key belongs to run ${runId}, which was started with something else.`, {
      details: { runId },
    });
  }
}
