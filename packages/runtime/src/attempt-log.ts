import type { TimerHandle } from "./env.ts";
import type { LogLine } from "./runtime.ts";
import { type Redactor, StreamRedactor } from "./redactor.ts";

/** A line is cut into pieces of this length: a program that never ends its line must not grow memory. */
const LINE_UNITS_MAX = 16 * 1024;

/**
 * A line whose last letters may be the first ones of a secret is held back until the next one. Among hundreds of secrets that is nearly every
 * line, so it is passed on after this time without another: whoever follows a log sees the last line, too.
 */
export const LINE_HELD_MS = 1000;

type Stream = LogLine["stream"];
/** Calls back once after so many milliseconds. */
type Later = (delayMs: number, callback: () => void) => TimerHandle;

/** The log of one attempt: masks secrets over the borders of chunks, then passes lines on. */
export class AttemptLog {
  readonly #redactor: Redactor;
  readonly #append: (stream: Stream, text: string) => void;
  readonly #streams = new Map<Stream, StreamRedactor>();
  readonly #later: Later;
  #timer: TimerHandle | undefined;
  /** Something was written since the timer was set. */
  #isWritten = false;

  constructor(redactor: Redactor, append: (stream: Stream, text: string) => void, later: Later) {
    this.#redactor = redactor;
    this.#append = append;
    this.#later = later;
  }

  write(stream: Stream, text: string): void {
    // Without secrets in this process every line goes straight through.
    if (this.#redactor.isEmpty && !this.#streams.has(stream)) return this.#emit(stream, text);
    let masking = this.#streams.get(stream);
    if (masking === undefined) {
      masking = new StreamRedactor(this.#redactor);
      this.#streams.set(stream, masking);
    }
    for (const line of masking.push(text)) this.#emit(stream, line);
    this.#isWritten = true;
    if (masking.isHolding) this.#timer ??= this.#later(LINE_HELD_MS, () => this.#idle());
  }

  end(): void {
    this.#timer?.clear();
    for (const [stream, masking] of this.#streams) for (const line of masking.end()) this.#emit(stream, line);
  }

  #idle(): void {
    this.#timer = undefined;
    const streams = [...this.#streams].filter(([, masking]) => masking.isHolding);
    if (!this.#isWritten) for (const [stream, masking] of streams) for (const line of masking.idle()) this.#emit(stream, line);
    else if (streams.length > 0) this.#timer = this.#later(LINE_HELD_MS, () => this.#idle());
    this.#isWritten = false;
  }

  #emit(stream: Stream, text: string): void {
    for (let from = 0; from === 0 || from < text.length; from += LINE_UNITS_MAX)
      this.#append(stream, text.slice(from, from + LINE_UNITS_MAX));
  }
}
