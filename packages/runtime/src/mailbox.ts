import { type ChildEnded, type Fact, summarize } from "@tutti/engine";
import { AppError, isJsonObject, type Json, type JsonObject } from "@tutti/model";
import type { Leases, RunMessage, Store } from "@tutti/store";
import type { Env } from "./env.ts";
import type { LoadedRun } from "./loaded-run.ts";
import { answerOf, type NodeMail, type PassedOnWord, passedOnStart, passedOnWord } from "./node-mail.ts";
import { isElsewhere, type Ownership, type ShardLease } from "./ownership.ts";
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
  readonly ownership: Ownership;
  /** Where nodes share the store. */
  readonly nodes: NodeMail | undefined;
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
  /** Positions of messages that a lost commit may have taken: a person's word, handed over twice, would count twice. */
  readonly #doubtful = new Set<number>();
  /** Positions taken while messages are being read. */
  #takenMeanwhile: Set<number> | undefined;

  constructor(deps: MailboxDeps) {
    this.#deps = deps;
  }

  /** Reads what earlier processes left. */
  async start(): Promise<void> {
    for (const message of await this.#readAll()) this.#keep(message);
  }

  /** Finds messages that a commit of unknown outcome, or another node, may have written. */
  async refresh(): Promise<void> {
    // Whoever asks while a reading is under way needs one that begins later.
    const reading = (this.#refreshing ?? Promise.resolve()).then(() => this.#look());
    this.#refreshing = reading.then(
      () => undefined,
      () => undefined,
    );
    await reading;
  }

  /** Reads what lies there for shards that were just claimed. `isStill`: whether the run is this node's under that claim when the answer comes. */
  async readFor(shards: ReadonlySet<number>, isStill: (runId: string) => boolean): Promise<void> {
    for (const message of await this.#readAll(shards)) if (isStill(message.toRunId)) this.#keep(message);
  }

  /** Forgets what is for runs that another node drives from now on. */
  forget(isGone: (runId: string) => boolean): void {
    for (const [runId, messages] of this.#waiting) {
      if (!isGone(runId)) continue;
      this.#waiting.delete(runId);
      for (const { position } of messages) {
        this.#receivers.delete(position);
        this.#doubtful.delete(position);
      }
    }
  }

  /** What the run was handed waits until it is known whether its last commit took it. */
  doubt(run: LoadedRun): void {
    if (this.#deps.ownership.isShared) for (const position of run.handed) if (this.#receivers.has(position)) this.#doubtful.add(position);
  }

  /** An answer may be old when it comes: what was taken since, or read for a shard that has come anew since, is not handed over again. */
  async #look(): Promise<void> {
    const { ownership, nodes } = this.#deps;
    const known = [...this.#receivers];
    const leases = new Set(ownership.leases());
    const isRead = (runId: string): boolean => {
      const lease = ownership.leaseOf(runId);
      return lease !== undefined && leases.has(lease);
    };
    const taken = new Set<number>();
    this.#takenMeanwhile = taken;
    try {
      const messages = await this.#readAll();
      if (ownership.isShared)
        this.#compare(
          known.filter(([, runId]) => isRead(runId)),
          messages,
        );
      const isNew = ({ position, toRunId }: RunMessage): boolean =>
        !this.#receivers.has(position) && !taken.has(position) && (toRunId === nodes?.nodeId || isRead(toRunId));
      this.deliver(messages.filter(isNew));
    } finally {
      this.#takenMeanwhile = undefined;
    }
  }

  /** What was known before the messages were read and is not among them was taken by a commit of unknown outcome; about the rest there is no doubt. */
  #compare(known: readonly (readonly [position: number, runId: string])[], messages: readonly RunMessage[]): void {
    const there = new Set(messages.map(({ position }) => position));
    for (const [position] of known) if (!there.has(position)) this.taken(position);
    const cleared = known.filter(([position]) => this.#doubtful.delete(position));
    for (const runId of new Set(cleared.map(([, receiver]) => receiver))) void this.deliverTo(runId);
  }

  async #readAll(shards = this.#deps.ownership.shards()): Promise<readonly RunMessage[]> {
    const { store, nodes } = this.#deps;
    const receivers = nodes === undefined || shards === undefined ? undefined : { shards, nodeId: nodes.nodeId };
    const messages: RunMessage[] = [];
    for (;;) {
      const page = await store.readMessages(messages.at(-1)?.position ?? 0, PAGE, receivers);
      messages.push(...page);
      if (page.length < PAGE) return messages;
    }
  }

  /** Runs with messages that nobody has taken. */
  receivers(): readonly string[] {
    return [...this.#waiting.keys()];
  }

  deliver(messages: readonly RunMessage[]): void {
    const { ownership, nodes } = this.#deps;
    for (const message of messages) {
      if (message.toRunId === nodes?.nodeId) {
        nodes.take(message);
        continue;
      }
      // Its owner finds it by itself.
      if (ownership.leaseOf(message.toRunId) === undefined) continue;
      this.#keep(message);
      const order = childOrderOf(message);
      if (order !== undefined && this.#deps.isDriven(order.fromRunId)) this.#deps.adoptRun(order.runId);
      if (this.#deps.isDriven(message.toRunId)) void this.deliverTo(message.toRunId);
    }
  }

  taken(position: number): void {
    this.#takenMeanwhile?.add(position);
    this.#doubtful.delete(position);
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
      else if (this.#deps.ownership.isShared && this.#deps.registry.peek(runId) === undefined) await this.#startAsked(runId);
      if (this.#deps.driver.mode !== "open" || !this.#waiting.has(runId)) return;
      this.deliverWaiting(await this.#deps.registry.use(runId, this.#hasWord(runId)));
    } catch (error) {
      if (isElsewhere(error)) return;
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
    if (waiting === undefined || this.#deps.driver.modeOf(run) !== "open") return;
    // A copy: what a message leads to may take or add others.
    for (const message of waiting.slice()) {
      if (run.isDropped) return;
      if (run.handed.has(message.position) || this.#doubtful.has(message.position)) continue;
      // A quarantined run takes nothing but a person's word: its other messages wait until that has resumed it.
      if (isQuarantined(run) && passedOnWord(message.body) === undefined) continue;
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

  /** Another node was asked to start this run. */
  async #startAsked(runId: string): Promise<void> {
    for (const { position, body } of this.#waiting.get(runId) ?? []) {
      const start = passedOnStart(body);
      if (start !== undefined) return this.#deps.starter.startAsked({ runId, start, position });
    }
  }

  #hasWord(runId: string): boolean {
    return this.#waiting.get(runId)?.some(({ body }) => passedOnWord(body) !== undefined) === true;
  }

  #keep(message: RunMessage): void {
    if (message.toRunId === this.#deps.nodes?.nodeId) return this.#deps.nodes.take(message);
    if (this.#receivers.has(message.position)) return;
    this.#receivers.set(message.position, message.toRunId);
    const waiting = this.#waiting.get(message.toRunId);
    if (waiting === undefined) this.#waiting.set(message.toRunId, [message]);
    else waiting.push(message);
  }

  #hand(run: LoadedRun, message: RunMessage): void {
    const { driver, env } = this.#deps;
    const word = passedOnWord(message.body);
    if (word !== undefined) return this.#obey(run, word, message.position);
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

  /** What another node was told for this run. The answer leaves with the commit that contains what followed. */
  #obey(run: LoadedRun, word: PassedOnWord, position: number): void {
    const { driver } = this.#deps;
    const { actor, reason, action } = word;
    let refusal: unknown;
    try {
      driver.feed(run, { type: "operator", at: driver.timeFor(run), actor, reason, action });
    } catch (error) {
      refusal = error;
    }
    if (run.isDropped) return;
    (run.pending.send ??= []).push(answerOf(word, refusal));
    (run.pending.take ??= []).push(position);
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
    const { store, ownership } = this.#deps;
    const lease = ownership.leaseOf(runId);
    if (store.leases !== undefined) return this.#discardAll(runId, { leases: store.leases, lease, attempt });
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

  /** The sender may be another node's: the messages go by themselves. */
  async #discardAll(
    runId: string,
    given: { readonly leases: Leases; readonly lease: ShardLease | undefined; readonly attempt: number },
  ): Promise<void> {
    const { leases, lease, attempt } = given;
    if (lease?.epoch === undefined) return;
    const drop = (this.#waiting.get(runId) ?? []).map(({ position }) => position);
    try {
      const under = { shard: lease.shard, epoch: lease.epoch };
      if ((await leases.exchange({ send: [], drop, under })) === undefined) return;
      for (const position of drop) this.taken(position);
    } catch (error) {
      this.#failed(runId, attempt, { what: `Messages for run ${runId}, which does not exist, could not be dropped.`, error });
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
