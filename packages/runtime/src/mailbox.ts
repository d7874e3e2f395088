import { type ChildEnded, type Fact, summarize } from "@tutti/engine";
import { AppError, isJsonObject, type Json, type JsonObject } from "@tutti/model";
import type { RunMessage, Store } from "@tutti/store";
import type { Env } from "./env.ts";
import type { LoadedRun } from "./loaded-run.ts";
import { isQuarantined, type RunDriver } from "./run-driver.ts";
import type { RunRegistry } from "./run-registry.ts";
import type { ChildOrder, RunStarter } from "./run-starter.ts";
import { isPermanent, pauseAfter } from "./store-trouble.ts";

const PAGE = 500;
/** Actor of orders that a parent run gives to its child. */
const PARENT_ACTOR = "system";

export interface MailboxDeps {
  readonly store: Store;
  readonly env: Env;
  readonly driver: RunDriver;
  readonly registry: RunRegistry;
  /** Whether this process drives the run; other runs' messages stay in the store. */
  readonly isDriven: (runId: string) => boolean;
  readonly starter: RunStarter;
  /** Takes a run that another one of this process has started into its hands. */
  readonly adoptRun: (runId: string) => void;
}

/**
 * Messages between runs: written in the sender's commit, handed to the receiver, and gone with the commit that contains what followed from
 * them. A message may be handed over twice (a lost commit, a restart); the engine drops what it knows already.
 */
export class Mailbox {
  readonly #deps: MailboxDeps;
  /** Not yet taken, by receiver, in order of position. */
  readonly #waiting = new Map<string, RunMessage[]>();
  readonly #receivers = new Map<number, string>();
  #refreshing: Promise<void> | undefined;

  constructor(deps: MailboxDeps) {
    this.#deps = deps;
  }

  /** Reads what earlier processes left. */
  async start(): Promise<void> {
    for (const message of await this.#readAll()) this.#keep(message);
  }

  /** Finds messages that a commit of unknown outcome may have written. */
  async refresh(): Promise<void> {
    // Whoever asks while a reading is under way needs one that begins later.
    const reading = (this.#refreshing ?? Promise.resolve()).then(() => this.#readAll());
    this.#refreshing = reading.then(
      () => undefined,
      () => undefined,
    );
    this.deliver((await reading).filter((message) => !this.#receivers.has(message.position)));
  }

  async #readAll(): Promise<readonly RunMessage[]> {
    const messages: RunMessage[] = [];
    for (;;) {
      const page = await this.#deps.store.readMessages(messages.at(-1)?.position ?? 0, PAGE);
      messages.push(...page);
      if (page.length < PAGE) return messages;
    }
  }

  /** Runs with messages that nobody has taken. */
  receivers(): readonly string[] {
    return [...this.#waiting.keys()];
  }

  deliver(messages: readonly RunMessage[]): void {
    for (const message of messages) {
      this.#keep(message);
      const order = childOrderOf(message);
      if (order !== undefined && this.#deps.isDriven(order.fromRunId)) this.#deps.adoptRun(order.runId);
      if (this.#deps.isDriven(message.toRunId)) void this.deliverTo(message.toRunId);
    }
  }

  taken(position: number): void {
    const runId = this.#receivers.get(position);
    if (runId === undefined) return;
    this.#receivers.delete(position);
    const left = (this.#waiting.get(runId) ?? []).filter((message) => message.position !== position);
    if (left.length === 0) this.#waiting.delete(runId);
    else this.#waiting.set(runId, left);
  }

  /** Loads the receiver if need be and hands over. Failures are reported; the messages stay, and while the store fails it is tried again. */
  async deliverTo(runId: string, attempt = 0): Promise<void> {
    try {
      const order = this.#deps.registry.peek(runId) === undefined ? this.#orderFor(runId) : undefined;
      if (order !== undefined) await this.#deps.starter.startChild(order);
      if (this.#deps.driver.mode !== "open" || !this.#waiting.has(runId)) return;
      this.deliverWaiting(await this.#deps.registry.use(runId));
    } catch (error) {
      if (error instanceof AppError && error.code === "run-not-found") await this.#returnToSender(runId, attempt);
      else this.#failed(runId, attempt, { what: `Messages for run ${runId} could not be handed over; they wait.`, error });
    }
  }

  #failed(runId: string, attempt: number, failure: { readonly what: string; readonly error: unknown }): void {
    const { driver, env } = this.#deps;
    if (driver.mode !== "open") return;
    const isOver = isPermanent(failure.error);
    if (isOver || attempt === 0) env.report(failure.what, failure.error);
    if (!isOver) env.setTimer(pauseAfter(attempt), () => void this.deliverTo(runId, attempt + 1));
  }

  /** Hands over what waits for a run that is in memory. */
  deliverWaiting(run: LoadedRun): void {
    const waiting = this.#waiting.get(run.runId);
    // A quarantined run takes nothing: its messages wait until an operator has resumed it.
    if (waiting === undefined || this.#deps.driver.mode !== "open" || isQuarantined(run)) return;
    // A copy: what a message leads to may take or add others.
    for (const message of waiting.slice()) {
      if (run.isDropped) return;
      if (run.handed.has(message.position)) continue;
      run.handed.add(message.position);
      this.#hand(run, message);
    }
  }

  /** Whether a message to or from the run is still on its way. */
  concerns(runId: string): boolean {
    if (this.#waiting.has(runId)) return true;
    for (const messages of this.#waiting.values()) if (messages.some((message) => senderOf(message) === runId)) return true;
    return false;
  }

  #orderFor(runId: string): ChildOrder | undefined {
    for (const message of this.#waiting.get(runId) ?? []) {
      const order = childOrderOf(message);
      if (order !== undefined) return order;
    }
    return undefined;
  }

  #keep(message: RunMessage): void {
    if (this.#receivers.has(message.position)) return;
    this.#receivers.set(message.position, message.toRunId);
    const waiting = this.#waiting.get(message.toRunId);
    if (waiting === undefined) this.#waiting.set(message.toRunId, [message]);
    else waiting.push(message);
  }

  #hand(run: LoadedRun, message: RunMessage): void {
    const { driver, env } = this.#deps;
    const order = childOrderOf(message);
    try {
      const fact = order === undefined ? factOf(message.body, driver.timeFor(run)) : this.#answerOrder(run, order);
      if (fact !== undefined) driver.feed(run, fact);
    } catch (error) {
      // An order that the run's state does not allow, such as cancelling a child that has just ended.
      if (!(error instanceof AppError)) env.report(`A message for run ${run.runId} could not be handled.`, error);
    }
    if (run.isDropped) return;
    (run.pending.take ??= []).push(message.position);
    driver.commits.add(run);
  }

  /** A start of a child that is there: it answers when it is over, is resumed when that is asked for, and is else left alone. */
  #answerOrder(run: LoadedRun, order: ChildOrder): Fact | undefined {
    const { driver } = this.#deps;
    const { status, output, error } = summarize(run.state);
    if (status === "completed") driver.tellParent(run, { kind: "completed", output: output ?? null });
    else if (status === "cancelled") driver.tellParent(run, { kind: "cancelled" });
    else if (status === "faulted" && order.resume) return operatorFact(driver.timeFor(run), order.fromRunId, "resume");
    else if (status === "faulted" && error !== undefined) driver.tellParent(run, { kind: "faulted", error });
    return undefined;
  }

  /** The receiver was never started (its parent ended first): the sender takes the message back. */
  async #returnToSender(runId: string, attempt: number): Promise<void> {
    for (const message of this.#waiting.get(runId) ?? []) {
      const sender = senderOf(message);
      if (sender === undefined) continue;
      try {
        const run = await this.#deps.registry.use(sender);
        (run.pending.take ??= []).push(message.position);
        this.#deps.driver.commits.add(run);
      } catch (error) {
        this.#failed(runId, attempt, { what: `A message for run ${runId}, which does not exist, could not be taken back.`, error });
      }
    }
  }
}

/** What a message means for its receiver. Bodies are written by `run-driver.ts` and by the store. */
function factOf(body: Json, at: number): Fact | undefined {
  if (!isJsonObject(body)) return undefined;
  switch (body["type"]) {
    case "child-ended":
      // Written by `childEnded` of run-driver.ts.
      return {
        type: "child-ended",
        at,
        task: numberOf(body, "task"),
        runId: textOf(body, "runId"),
        outcome: body["outcome"] as unknown as ChildEnded["outcome"],
      };
    case "child-order": {
      const { how } = body;
      return how === "cancel" || how === "kill" ? operatorFact(at, textOf(body, "fromRunId"), how) : undefined;
    }
    case "slot-granted":
      return { type: "slot-decided", at, task: numberOf(body, "task"), verdict: "granted", fence: numberOf(body, "fence") };
    case "slot-replaced":
      return { type: "slot-decided", at, task: numberOf(body, "task"), verdict: "replaced", fence: numberOf(body, "fence") };
    default:
      return undefined;
  }
}

function operatorFact(at: number, parentRunId: string, kind: "cancel" | "kill" | "resume"): Fact {
  return { type: "operator", at, actor: PARENT_ACTOR, reason: `The parent run ${parentRunId} asked for it.`, action: { kind } };
}

/** Written by `childStart` of run-driver.ts. */
function childOrderOf(message: RunMessage): ChildOrder | undefined {
  const { body } = message;
  if (!isJsonObject(body) || body["type"] !== "child-start") return undefined;
  return { ...(body as unknown as Omit<ChildOrder, "position" | "runId">), position: message.position, runId: message.toRunId };
}

function senderOf(message: RunMessage): string | undefined {
  const sender = isJsonObject(message.body) ? message.body["fromRunId"] : undefined;
  return typeof sender === "string" ? sender : undefined;
}

function textOf(body: JsonObject, key: string): string {
  const value = body[key];
  return typeof value === "string" ? value : "";
}

function numberOf(body: JsonObject, key: string): number {
  const value = body[key];
  return typeof value === "number" ? value : 0;
}
