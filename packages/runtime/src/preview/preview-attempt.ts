import { type Attempt, type AttemptProvider, ConnectorError } from "@tutti/connector-kit";
import type { CallAhead } from "@tutti/engine";
import type { Json, Token } from "@tutti/model";
import type { Env } from "../env.ts";
import { secretFor, type SecretBook } from "../secrets.ts";

/** A look ahead waits this long for the system that it asks; what it would have said is unknown then. */
export const PREVIEW_CALL_MS = 10_000;

/** What a connector's preview, or a read that a preview carries out, may see: an attempt that nothing is stored of. */
export class PreviewAttempt implements Attempt {
  readonly token: Token;
  readonly runId: string;
  readonly taskPath: string;
  readonly number = 1;
  readonly traceparent = undefined;
  readonly taskInput: Json;
  readonly baseDirectory: string | undefined;
  readonly provider: AttemptProvider | undefined;
  readonly #call: CallAhead;
  readonly #secrets: SecretBook;
  readonly #controller = new AbortController();

  constructor(
    call: CallAhead,
    given: { readonly provider: AttemptProvider | undefined; readonly baseDirectory: string | undefined; readonly secrets: SecretBook },
  ) {
    const { command } = call;
    // The engine derives tokens in this form.
    this.token = command.token as Token;
    this.runId = call.runId;
    this.taskPath = command.path;
    this.taskInput = command.taskInput;
    this.baseDirectory = given.baseDirectory;
    this.provider = given.provider;
    this.#call = call;
    this.#secrets = given.secrets;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** What `ask` gives, or a failure of unknown outcome after `PREVIEW_CALL_MS`. */
  async within<Answer>(env: Env, ask: () => Promise<Answer>): Promise<Answer> {
    let timer: { clear(): void } | undefined;
    const limit = new Promise<never>((_, reject) => {
      timer = env.setTimer(PREVIEW_CALL_MS, () => {
        const error = new Error(`There was no answer within ${PREVIEW_CALL_MS / 1000} s.`);
        error.name = "TimeoutError";
        this.#controller.abort(error);
        reject(new ConnectorError(error.message, { kind: "timeout", outcome: "unknown" }));
      });
    });
    try {
      return await Promise.race([ask(), limit]);
    } finally {
      timer?.clear();
    }
  }

  heartbeat(): void {}

  /** Nothing is kept of a look ahead. */
  log(): void {}

  afterStored(): void {}

  secret(name: string): Promise<Json> {
    return secretFor(this.#secrets, this.#call.program.secrets, name);
  }

  mask(value: Json): void {
    this.#secrets.mask(value);
  }

  masked(text: string): string {
    return this.#secrets.masked(text);
  }

  async ask(question: string, value: Json): Promise<boolean> {
    const { ask } = this.#call.command;
    if (ask === undefined) throw new ConnectorError(`This call has no question "${question}".`, { kind: "runtime", outcome: "unknown" });
    return ask(question, value);
  }
}
