import { StringDecoder } from "node:string_decoder";

/** The hard limit of a value in a run; a script with more to say writes a file. */
export const OUTPUT_BYTES_MAX = 16 * 1024 * 1024;
/** A line without an end is logged in pieces of this size. */
const LOG_LINE_CHARACTERS_MAX = 16 * 1024;
/** 16 MiB of short lines are millions; nobody reads them, and each costs the log's reader and writer. */
const LOG_LINES_MAX = 100_000;

/** Collects one output stream: the whole text for the result, and line by line for the log. Invalid UTF-8 becomes U+FFFD. */
export class OutputCapture {
  readonly #decoder = new StringDecoder("utf8");
  readonly #onLine: (line: string) => void;
  readonly #parts: string[] = [];
  #bytes = 0;
  #line = "";
  #lines = 0;

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  /** False when the stream has said more than it may; what came so far is kept. */
  add(chunk: Buffer): boolean {
    this.#bytes += chunk.length;
    if (this.#bytes > OUTPUT_BYTES_MAX) return false;
    this.#take(this.#decoder.write(chunk));
    return true;
  }

  /** When the stream has ended: an unfinished last line is logged too. A second call changes nothing. */
  end(): void {
    this.#take(this.#decoder.end());
    if (this.#line !== "") this.#log(this.#line);
    this.#line = "";
  }

  /** All that was written, without one line end at the very end: `echo x` says x. */
  get text(): string {
    const text = this.#parts.join("");
    return text.endsWith("\n") ? text.slice(0, -1) : text;
  }

  #take(text: string): void {
    if (text === "") return;
    this.#parts.push(text);
    const lines = (this.#line + text).split("\n");
    this.#line = lines.pop() ?? "";
    for (const line of lines) this.#log(line);
    if (this.#line.length > LOG_LINE_CHARACTERS_MAX) {
      this.#log(this.#line);
      this.#line = "";
    }
  }

  #log(line: string): void {
    this.#lines += 1;
    if (this.#lines <= LOG_LINES_MAX) this.#onLine(line);
    else if (this.#lines === LOG_LINES_MAX + 1) this.#onLine(`… more than ${LOG_LINES_MAX} lines: the rest is not logged.`);
  }
}
