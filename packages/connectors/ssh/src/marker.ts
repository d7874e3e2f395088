/** What a login shell's start-up files say before anything of ours runs. */
const NOISE_BYTES_MAX = 64 * 1024;

/**
 * What an output says after the line with our mark: accounts whose shell greets everybody are usual. The rest of that line is the mark's word. The
 * mark is a number that nobody can guess, so that another server's answer is never taken for our program's.
 */
export class AfterMark {
  readonly #mark: Buffer;
  #held = Buffer.alloc(0);
  #word: string | undefined;

  constructor(mark: string) {
    this.#mark = Buffer.from(mark, "latin1");
  }

  /** What stands behind the mark on its line; undefined while there is none. */
  get word(): string | undefined {
    return this.#word;
  }

  /** What came before, or instead of, the mark. */
  get noise(): string {
    return this.#word === undefined ? this.#held.toString("utf8") : "";
  }

  /** @returns what of the chunk comes after the mark; undefined when there is too much before it. */
  take(chunk: Buffer): Buffer | undefined {
    if (this.#word !== undefined) return chunk;
    this.#held = Buffer.concat([this.#held, chunk]);
    const at = this.#held.indexOf(this.#mark);
    const end = at < 0 ? -1 : this.#held.indexOf(0x0a, at);
    if (end < 0) return this.#held.length > NOISE_BYTES_MAX ? undefined : Buffer.alloc(0);
    this.#word = this.#held.toString("utf8", at + this.#mark.length, end).trim();
    const rest = this.#held.subarray(end + 1);
    this.#held = Buffer.alloc(0);
    return rest;
  }
}
