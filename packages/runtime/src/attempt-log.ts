import type { LogLine } from "./runtime.ts";
import { type Redactor, StreamRedactor } from "./redactor.ts";

/** A line is cut into pieces of this length: a program that never ends its line must not grow memory. */
const LINE_UNITS_MAX = 16 * 1024;

type Stream = LogLine["stream"];

/** The log of one attempt: masks secrets over the borders of chunks, then passes lines on. */
export class AttemptLog {
  readonly #redactor: Redactor;
  readonly #append: (stream: Stream, text: string) => void;
  readonly #streams = new Map<Stream, StreamRedactor>();

  constructor(redactor: Redactor, append: (stream: Stream, text: string) => void) {
    this.#redactor = redactor;
    this.#append = append;
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
  }

  end(): void {
    for (const [stream, masking] of this.#streams) for (const line of masking.end()) this.#emit(stream, line);
  }

  #emit(stream: Stream, text: string): void {
    for (let from = 0; from === 0 || from < text.length; from += LINE_UNITS_MAX)
      this.#append(stream, text.slice(from, from + LINE_UNITS_MAX));
  }
}
