import type { OperatorActed } from "@tutti/engine";
import { AppError, ERROR_CATALOGUE, type ErrorCode, isJsonObject, type Json, type JsonObject } from "@tutti/model";
import type { Leases, RunMessage } from "@tutti/store";
import type { Env } from "./env.ts";

/** A word is passed on, its owner may have to be replaced first, and the answer comes back: two leases and some time to read and write. */
export const ANSWER_WITHIN_MS = 30_000;

/** An operator's word for a run that another node drives; `from` and `ask` say whom to answer. */
export interface PassedOnWord extends Pick<OperatorActed, "actor" | "reason" | "action"> {
  readonly type: "operate";
  readonly from: string;
  readonly ask: number;
}

/** What becomes of a passed on word, in the commit that contains what followed from it. */
export type PassedOnAnswer =
  | { readonly ok: true }
  | { readonly ok: false; readonly code: string; readonly message: string; readonly details: JsonObject };

/** A run that is to be started under this id by whoever owns its shard; its start key has decided the id. */
export interface PassedOnStart {
  readonly type: "run-start";
  readonly workflow: { readonly namespace: string; readonly name: string; readonly version: string };
  readonly input: Json;
  readonly labels: Readonly<Record<string, string>>;
  readonly actor: string;
  readonly replayOf?: string;
}

/** What this node asks others through the store, and their answers. */
export class NodeMail {
  readonly #leases: Leases;
  readonly #env: Env;
  readonly #asks = new Map<number, (answer: PassedOnAnswer) => void>();
  #lastAsk = 0;

  constructor(leases: Leases, env: Env) {
    this.#leases = leases;
    this.#env = env;
  }

  get nodeId(): string {
    return this.#leases.nodeId;
  }

  /**
   * Passes an operator's word on. Resolves when the run's owner has carried it out and stored it.
   *
   * @throws what the owner refused it with; AppError `commit-outcome-unknown` when nobody answers: it may still be carried out.
   */
  async operate(runId: string, word: Pick<OperatorActed, "actor" | "reason" | "action">): Promise<void> {
    this.#lastAsk += 1;
    const ask = this.#lastAsk;
    const answered = new Promise<PassedOnAnswer>((resolve) => this.#asks.set(ask, resolve));
    let timer: { clear(): void } | undefined;
    try {
      const { actor, reason, action } = word;
      const body = { type: "operate", from: this.nodeId, ask, actor, action, ...(reason === undefined ? {} : { reason }) };
      // An action is what the engine stores in a record: plain data.
      await this.#leases.exchange({ send: [{ to: runId, body: body as unknown as Json }], drop: [] });
      const silence = new Promise<undefined>((resolve) => {
        timer = this.#env.setTimer(ANSWER_WITHIN_MS, () => resolve(undefined));
      });
      const answer = await Promise.race([answered, silence]);
      if (answer === undefined)
        throw new AppError("commit-outcome-unknown", `The node that drives run ${runId} does not answer; it may still carry this out.`, {
          details: { runId },
          hint: "Look at the run before you say it again.",
        });
      if (!answer.ok) throw new AppError(codeOf(answer.code), answer.message, { details: answer.details });
    } finally {
      timer?.clear();
      this.#asks.delete(ask);
    }
  }

  async start(runId: string, start: PassedOnStart): Promise<void> {
    await this.#leases.exchange({ send: [{ to: runId, body: { ...start } }], drop: [] });
  }

  /** Takes in an answer. It stays in the store when dropping it fails, and is dropped when it comes again. */
  take({ position, body }: RunMessage): void {
    if (isJsonObject(body) && typeof body["ask"] === "number") {
      // Written by `answerOf` on another node.
      this.#asks.get(body["ask"])?.(body["answer"] as unknown as PassedOnAnswer);
    }
    this.#leases
      .exchange({ send: [], drop: [position] })
      .catch((error: unknown) => this.#env.report("An answer of another node could not be taken out of the store yet.", error));
  }
}

export function passedOnWord(body: Json): PassedOnWord | undefined {
  // Written by `operate` above.
  return isJsonObject(body) && body["type"] === "operate" ? (body as unknown as PassedOnWord) : undefined;
}

export function passedOnStart(body: Json): PassedOnStart | undefined {
  // Written by `start` above.
  return isJsonObject(body) && body["type"] === "run-start" ? (body as unknown as PassedOnStart) : undefined;
}

/** The message that answers a word; `refusal` when it was not carried out. */
export function answerOf({ from, ask }: PassedOnWord, refusal: unknown): { readonly toRunId: string; readonly body: Json } {
  if (refusal === undefined) return { toRunId: from, body: { ask, answer: { ok: true } } };
  const known = refusal instanceof AppError ? { code: refusal.code, details: { ...refusal.details } } : { code: "usage", details: {} };
  const message = refusal instanceof Error ? refusal.message : "It was refused.";
  return { toRunId: from, body: { ask, answer: { ok: false, message, ...known } } };
}

/** Another node may be of another version, and know other codes. */
function codeOf(code: string): ErrorCode {
  return Object.hasOwn(ERROR_CATALOGUE, code) ? (code as ErrorCode) : "operation-not-possible";
}
