import { checkInput, ConnectorError, type ConnectorFunction, type StoredEnd } from "@tutti/connector-kit";
import type { AbortAttempt, LookUp, StartAttempt } from "@tutti/engine";
import type { JsonObject, Token } from "@tutti/model";
import { type AfterStored, AttemptHandle, type AbortReason, type AttemptServices, type Ending } from "./attempt-handle.ts";
import { AttemptLog } from "./attempt-log.ts";
import {
  endingOfSilence,
  lookUpOutcomeOf,
  lookUpOutcomeOfError,
  outcomeOfError,
  outcomeOfNotBeginning,
  outcomeOfOutput,
} from "./attempt-outcome.ts";
import { crashDetail } from "./crash-detail.ts";
import type { Env } from "./env.ts";
import type { FunctionTable } from "./function-table.ts";
import type { LoadedRun } from "./loaded-run.ts";
import type { ShardLease } from "./ownership.ts";
import type { ProviderBook } from "./provider-book.ts";
import type { Redactor } from "./redactor.ts";
import type { SecretBook } from "./secrets.ts";
import { TurnoverMap } from "./turnover-map.ts";

/** An attempt that was asked to stop has this long to end by itself; then its outcome is unknown and its task goes on without it. */
export const ABORT_GRACE_MS = 5000;

/** A function that goes on after that is a bug of its connector; the next attempt of its token is not held up longer. */
const TOKEN_HOLD_MS = 60_000;

/** An attempt that has sent a heartbeat promises more of them; one that then is silent this long is taken for hung and aborted. */
const HEARTBEAT_SILENCE_MS = 5 * 60_000;
const HEARTBEAT_CHECK_MS = 30_000;

/** An acknowledgement or a removal takes a round trip; a stop of the process is not held up longer by one that hangs. */
const AFTER_STORED_MS = 5000;

const NO_SECRETS: JsonObject = Object.freeze({});

export interface DispatcherDeps {
  readonly env: Env;
  readonly functions: FunctionTable;
  readonly secrets: SecretBook;
  readonly providers: ProviderBook;
  readonly redactor: Redactor;
  /** See `RuntimeDeps`. */
  readonly traceparent: ((runId: string, spanKey: string) => string) | undefined;
  /** Whether the lease still lasts; asked immediately before each request. */
  readonly maySend: (lease: ShardLease) => boolean;
  readonly appendLog: (handle: AttemptHandle, stream: "stdout" | "stderr" | "info", text: string) => void;
  /** The attempt has ended; called once. `handle.run` is undefined while its run is being loaded again. */
  readonly ended: (handle: AttemptHandle) => void;
}

/** Carries out attempts and look-ups. Knows what is under way in this process, whether or not its run is in memory. */
export class Dispatcher {
  readonly #deps: DispatcherDeps;
  readonly #services: AttemptServices;
  readonly #live = new TurnoverMap<AttemptHandle, AttemptHandle>();
  /** Attempts that may change something and whose run was dropped: adopted when the run is loaded again. */
  readonly #orphans = new Map<string, AttemptHandle[]>();
  /** The latest attempt of each token that has not really ended. */
  readonly #byToken = new TurnoverMap<string, AttemptHandle>();
  /** Attempts that have sent a heartbeat. */
  readonly #beating = new Set<AttemptHandle>();
  readonly #unsent = new Map<string, readonly StartAttempt[]>();
  /** What functions still do after their ends were stored: the process does not stop before it is done, within a bound. */
  readonly #afterwards = new Set<Promise<void>>();
  #idleWaiters: (() => void)[] = [];

  constructor(deps: DispatcherDeps) {
    this.#deps = deps;
    this.#services = {
      secrets: deps.secrets,
      traceparent: deps.traceparent,
      monotonicMs: () => deps.env.monotonicMs(),
      promisedHeartbeats: (handle) => this.#watchHeartbeats(handle),
      makeLog: (handle) =>
        new AttemptLog(
          deps.redactor,
          (stream, text) => deps.appendLog(handle, stream, text),
          (delayMs, callback) => deps.env.setTimer(delayMs, callback),
        ),
    };
  }

  get inFlight(): number {
    return this.#live.size;
  }

  /** Begins an attempt whose intent is stored, or one that changes nothing. */
  start(run: LoadedRun, command: StartAttempt | LookUp): void {
    const entry = this.#deps.functions.get(command.function);
    const handle = new AttemptHandle(this.#services, run, { command, entry });
    run.attempts.set(command.task, handle);
    this.#live.set(handle, handle);
    const before = this.#byToken.get(handle.token);
    this.#byToken.set(handle.token, handle);
    // An earlier attempt of the token (of a task that was cancelled and is tried again) must have ended: what ends it may end by token.
    if (before === undefined) this.#queue(handle);
    else {
      handle.waitsForToken = true;
      before.successor = handle;
    }
  }

  abort(run: LoadedRun, command: AbortAttempt): void {
    const handle = run.attempts.get(command.task);
    if (handle !== undefined) this.abortHandle(handle, command.reason);
  }

  abortHandle(handle: AttemptHandle, reason: AbortReason): void {
    if (handle.phase === "settled" || handle.abortReason !== undefined) return;
    const wasQueued = handle.phase === "queued";
    handle.abort(reason);
    if (wasQueued) {
      const error = new ConnectorError("The attempt was stopped before it began.", {
        kind: reason === "timeout" ? "timeout" : "runtime",
        outcome: "never-began",
      });
      this.#settle(handle, this.#endingOfNotBeginning(handle, error));
      return;
    }
    this.#deps.env.setTimer(ABORT_GRACE_MS, () => {
      if (handle.phase === "settled") return;
      this.#settle(handle, endingOfSilence(handle));
      this.#deps.env.setTimer(TOKEN_HOLD_MS, () => this.#leaveToken(handle));
    });
  }

  /** The run is dropped from memory: what changes nothing is begun anew after the load, the rest goes on and is adopted again. */
  orphan(run: LoadedRun): void {
    for (const handle of run.attempts.values()) {
      handle.run = undefined;
      if (handle.mayChangeSomething) {
        const list = this.#orphans.get(run.runId);
        if (list === undefined) this.#orphans.set(run.runId, [handle]);
        else list.push(handle);
      } else this.#discard(handle);
    }
    run.attempts.clear();
  }

  /** The run belongs to another node from now on: whatever of it is under way here is stopped, and nobody waits for it. */
  renounce(run: LoadedRun): void {
    for (const handle of run.attempts.values()) {
      handle.run = undefined;
      this.#discard(handle);
    }
    run.attempts.clear();
  }

  /** The same of what runs have left that are no longer in memory. */
  renounceOrphans(isLost: (runId: string) => boolean): void {
    for (const [runId, handles] of this.#orphans) {
      if (!isLost(runId)) continue;
      for (const handle of handles) this.#discard(handle);
      this.#orphans.delete(runId);
    }
    for (const runId of this.#unsent.keys()) if (isLost(runId)) this.#unsent.delete(runId);
  }

  /** The attempt of this process that the loaded state has lost sight of, if it is still known here. */
  adopt(run: LoadedRun, lost: { readonly task: number; readonly attempt: number; readonly token: string }): AttemptHandle | undefined {
    const list = this.#orphans.get(run.runId);
    const index =
      list?.findIndex((handle) => handle.task === lost.task && handle.number === lost.attempt && handle.token === lost.token) ?? -1;
    if (list === undefined || index === -1) return undefined;
    const [handle] = list.splice(index, 1);
    if (handle === undefined) return undefined;
    handle.run = run;
    run.attempts.set(handle.task, handle);
    return handle;
  }

  /** Intents whose commit has an unknown outcome: if they turn out to be stored, it is known that they were never sent. */
  keepUnsent(runId: string, commands: readonly StartAttempt[]): void {
    if (commands.length > 0) this.#unsent.set(runId, commands);
  }

  /** The command of a stored intent that this process has not carried out. */
  takeUnsent(runId: string, lost: { readonly task: number; readonly attempt: number; readonly token: string }): StartAttempt | undefined {
    return this.#unsent.get(runId)?.find((one) => one.task === lost.task && one.attempt === lost.attempt && one.token === lost.token);
  }

  /** The end of the attempt is stored. If it is a known one, its function does what was left to do (see `Attempt.afterStored`). */
  stored(handle: AttemptHandle): void {
    const { ending } = handle;
    for (const listener of handle.takeAfterStored()) {
      if (ending?.of !== "attempt" || ending.outcome.kind === "unknown") continue;
      const done: Promise<void> = this.#afterStored(handle, listener, ending.outcome.kind).finally(() => this.#afterwards.delete(done));
      this.#afterwards.add(done);
    }
  }

  /** Resolves when what functions do after their ends were stored is done. */
  async settledAfterwards(): Promise<void> {
    await Promise.all(this.#afterwards);
  }

  async #afterStored(handle: AttemptHandle, listener: AfterStored, end: StoredEnd): Promise<void> {
    let timer: { clear(): void } | undefined;
    try {
      const limit = new Promise<void>((resolve) => {
        timer = this.#deps.env.setTimer(AFTER_STORED_MS, resolve);
      });
      await Promise.race([listener(end), limit]);
    } catch (error) {
      this.#deps.env.report(`What ${handle.entry.name} does after its end was stored failed; nothing is lost by it.`, error);
    } finally {
      timer?.clear();
    }
  }

  /** After the load: what was not adopted has its end in the store already. */
  forgetOrphans(runId: string): void {
    this.#orphans.delete(runId);
    this.#unsent.delete(runId);
  }

  /** Ends what a dead process may have left running under `token`; undefined when the function leaves nothing. Never rejects. */
  quiesce(name: string, token: string, timeoutMs: number): Promise<void> | undefined {
    const { declared } = this.#deps.functions.get(name);
    if (declared.quiesce === undefined) return undefined;
    return new Promise((resolve) => {
      const timer = this.#deps.env.setTimer(timeoutMs, () => {
        this.#deps.env.report(`Ending the leftovers of an attempt of ${name} took too long; its outcome is treated as unknown.`, undefined);
        resolve();
      });
      // The engine derives tokens in this form.
      quiesce(declared, token as Token)
        .catch((error: unknown) => this.#deps.env.report(`Ending the leftovers of an attempt of ${name} failed.`, error))
        .finally(() => {
          timer.clear();
          resolve();
        });
    });
  }

  /** Attempts under way; a copy. */
  list(): readonly AttemptHandle[] {
    return [...this.#live.values()];
  }

  /** Resolves when no attempt is under way. */
  async idle(): Promise<void> {
    if (this.#live.size === 0) return;
    await new Promise<void>((resolve) => this.#idleWaiters.push(resolve));
  }

  #watchHeartbeats(handle: AttemptHandle): void {
    this.#beating.add(handle);
    if (this.#beating.size === 1) this.#deps.env.setTimer(HEARTBEAT_CHECK_MS, () => this.#checkHeartbeats());
  }

  #checkHeartbeats(): void {
    const silentSinceMs = this.#deps.env.monotonicMs() - HEARTBEAT_SILENCE_MS;
    for (const handle of this.#beating) {
      if (handle.phase === "settled") this.#beating.delete(handle);
      else if ((handle.lastBeatAtMs ?? 0) < silentSinceMs) this.abortHandle(handle, "timeout");
    }
    if (this.#beating.size > 0) this.#deps.env.setTimer(HEARTBEAT_CHECK_MS, () => this.#checkHeartbeats());
  }

  #queue(handle: AttemptHandle): void {
    handle.waitsForToken = false;
    if (handle.phase !== "queued") this.#leaveToken(handle);
    else if (handle.entry.active >= handle.entry.concurrencyMax) handle.entry.enqueue(handle);
    else this.#begin(handle);
  }

  /** The function has really ended, or was never called: the next attempt of the token may begin. */
  #leaveToken(handle: AttemptHandle): void {
    if (handle.hasLeftToken) return;
    handle.hasLeftToken = true;
    const { successor } = handle;
    handle.successor = undefined;
    if (successor !== undefined) this.#queue(successor);
    else if (this.#byToken.get(handle.token) === handle) this.#byToken.delete(handle.token);
  }

  #begin(handle: AttemptHandle): void {
    handle.phase = "running";
    handle.entry.active += 1;
    if (!handle.command.needsSecrets) {
      this.#run(handle, NO_SECRETS);
      return;
    }
    this.#deps.secrets.resolveAll(handle.secretNames).then(
      (secrets) => this.#run(handle, secrets),
      (error: unknown) => {
        this.#settle(handle, this.#endingOfNotBeginning(handle, error));
        this.#leaveToken(handle);
      },
    );
  }

  #run(handle: AttemptHandle, secrets: JsonObject): void {
    if (!this.#maySend(handle)) return this.#leaveToken(handle);
    let input: JsonObject;
    try {
      input = handle.command.renderInput(secrets);
    } catch (error) {
      this.#settle(handle, this.#endingOfNotBeginning(handle, error));
      this.#leaveToken(handle);
      return;
    }
    if (!handle.entry.takesProvider) {
      this.#call(handle, input);
      return;
    }
    const { provider: named, ...rest } = input;
    this.#deps.providers.forCall(handle.entry.connector, named).then(
      (provider) => {
        handle.provider = provider;
        if (this.#maySend(handle)) this.#call(handle, rest);
        else this.#leaveToken(handle);
      },
      (error: unknown) => {
        this.#settle(handle, this.#endingOfNotBeginning(handle, error));
        this.#leaveToken(handle);
      },
    );
  }

  /** Whether somebody still wants the attempt and this node may carry it out. */
  #maySend(handle: AttemptHandle): boolean {
    if (handle.phase === "settled") return false;
    if (this.#deps.maySend(handle.lease)) return true;
    // Another node may own the run by now; what it finds is an intent without an end.
    this.#discard(handle);
    return false;
  }

  #call(handle: AttemptHandle, input: JsonObject): void {
    const { command, entry } = handle;
    const { declared } = entry;
    let answer: Promise<unknown>;
    let hasBegun = false;
    try {
      const problem = checkInput(declared, input);
      if (problem !== undefined)
        throw new ConnectorError(`The arguments of ${entry.name} do not fit: ${problem}`, { kind: "validation", outcome: "never-began" });
      const detail = crashDetail.attempt(handle);
      if (command.type === "look-up") {
        if (declared.find === undefined)
          throw new ConnectorError(`${entry.name} has no look-up.`, { kind: "runtime", outcome: "never-began" });
        this.#deps.env.crashPoint("look-up.before", detail);
        hasBegun = true;
        answer = declared.find(input, handle);
      } else {
        this.#deps.env.crashPoint("attempt.before", detail);
        hasBegun = true;
        answer = declared.run(input, handle);
      }
    } catch (error) {
      // A function that throws before it returns a promise has begun all the same.
      this.#settle(handle, hasBegun ? this.#endingOfError(handle, error) : this.#endingOfNotBeginning(handle, error));
      this.#leaveToken(handle);
      return;
    }
    answer.then(
      (output) => {
        // An attempt that was given up answers too late: its outcome is recorded as unknown.
        if (handle.phase !== "settled") this.#settle(handle, this.#endingOfOutput(handle, output));
        this.#leaveToken(handle);
      },
      (error: unknown) => {
        if (handle.phase !== "settled") this.#settle(handle, this.#endingOfError(handle, error));
        this.#leaveToken(handle);
      },
    );
  }

  #endingOfOutput(handle: AttemptHandle, output: unknown): Ending {
    const { redactor } = this.#deps;
    if (handle.command.type === "look-up") return { of: "look-up", outcome: lookUpOutcomeOf(handle, output, redactor) };
    return { of: "attempt", outcome: outcomeOfOutput(handle, output, redactor) };
  }

  #endingOfError(handle: AttemptHandle, error: unknown): Ending {
    const { redactor } = this.#deps;
    if (handle.command.type === "look-up") return { of: "look-up", outcome: lookUpOutcomeOfError(error, redactor) };
    return { of: "attempt", outcome: outcomeOfError(handle, error, redactor) };
  }

  #endingOfNotBeginning(handle: AttemptHandle, error: unknown): Ending {
    const { redactor } = this.#deps;
    if (handle.command.type === "look-up") return { of: "look-up", outcome: lookUpOutcomeOfError(error, redactor) };
    return { of: "attempt", outcome: outcomeOfNotBeginning(handle, error, redactor) };
  }

  #settle(handle: AttemptHandle, ending: Ending): void {
    if (handle.phase === "settled") return;
    this.#deps.env.crashPoint("attempt.after", crashDetail.attempt(handle));
    handle.endLog();
    handle.ending = ending;
    this.#release(handle);
    this.#deps.ended(handle);
  }

  #discard(handle: AttemptHandle): void {
    if (handle.phase === "settled") return;
    handle.abort("dropped");
    this.#release(handle);
  }

  /** Gives the attempt's place to the next one. */
  #release(handle: AttemptHandle): void {
    const { entry, phase } = handle;
    handle.phase = "settled";
    this.#live.delete(handle);
    if (phase === "queued" && !handle.waitsForToken) this.#leaveToken(handle);
    if (phase === "running") {
      entry.active -= 1;
      const next = entry.active < entry.concurrencyMax ? entry.dequeue() : undefined;
      if (next !== undefined) this.#begin(next);
    }
    if (this.#live.size === 0 && this.#idleWaiters.length > 0) {
      const waiters = this.#idleWaiters;
      this.#idleWaiters = [];
      for (const resolve of waiters) resolve();
    }
  }
}

async function quiesce(declared: ConnectorFunction, token: Token): Promise<void> {
  await declared.quiesce?.(token);
}
