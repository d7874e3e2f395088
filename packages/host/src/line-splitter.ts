const LINE_FEED = 10;

/**
 * Cuts a byte stream into lines. Bytes are joined only when a line is whole, so a line that arrives in a thousand pieces costs one copy.
 */
export class LineSplitter {
  readonly #bytesMax: number;
  #pieces: Buffer[] = [];
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** The lines that `chunk` completes, or undefined when a line grows beyond the limit: nothing after it can be understood. */
  push(chunk: Buffer): readonly string[] | undefined {
    const lines: string[] = [];
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, start)) {
      if (this.#bytes + end - start > this.#bytesMax) return undefined;
      const piece = chunk.subarray(start, end);
      lines.push(this.#pieces.length === 0 ? piece.toString("utf8") : Buffer.concat([...this.#pieces, piece]).toString("utf8"));
      this.#pieces = [];
      this.#bytes = 0;
      start = end + 1;
    }
    if (start < chunk.length) {
      this.#pieces.push(chunk.subarray(start));
      this.#bytes += chunk.length - start;
    }
    return this.#bytes > this.#bytesMax ? undefined : lines;
  }
}
