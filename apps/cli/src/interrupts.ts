import { EXIT } from "./exit-code.ts";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * The user's wish to end: the first signal asks, the second ends the process at once. What was committed stays either way; the second only
 * leaves attempts in flight with an unknown outcome.
 */
export class Interrupts {
  readonly #abort = new AbortController();
  readonly #onFirst: () => void;
  readonly #onHangUp: (() => void) | undefined;
  #isHeeded = false;
  readonly #handle = (): void => {
    // A command that has nothing to end in order (a list, a look-up) ends at the first.
    if (this.#abort.signal.aborted || !this.#isHeeded) process.exit(EXIT.interrupted);
    this.#abort.abort(new Interrupted());
    this.#onFirst();
  };

  /** `onHangUp`: what SIGHUP means instead of the wish to end. */
  constructor(onFirst: () => void = () => {}, onHangUp?: () => void) {
    this.#onFirst = onFirst;
    this.#onHangUp = onHangUp;
    for (const signal of SIGNALS) process.on(signal, this.#handlerOf(signal));
  }

  /** Aborted by the first signal. Whoever asks for it promises to end in order when it is. */
  get signal(): AbortSignal {
    this.#isHeeded = true;
    return this.#abort.signal;
  }

  /** From here on signals do what they do by default. */
  stop(): void {
    for (const signal of SIGNALS) process.off(signal, this.#handlerOf(signal));
  }

  #handlerOf(signal: (typeof SIGNALS)[number]): () => void {
    return signal === "SIGHUP" && this.#onHangUp !== undefined ? this.#onHangUp : this.#handle;
  }
}

/** Thrown through what is interrupted; not a failure. */
export class Interrupted extends Error {
  constructor() {
    super("interrupted");
    this.name = "Interrupted";
  }
}
