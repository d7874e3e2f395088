/** Source: Docker Engine API, "Stream format" of the attach operation: type, three zeros, length, then the bytes. */
const HEADER_BYTES = 8;

/** Takes apart what an engine sends of a container without terminal: both streams in one, in frames. */
export class LogStream {
  readonly #take: (stream: "stdout" | "stderr", chunk: Buffer) => void;
  #rest: Buffer = Buffer.alloc(0);
  /** Bytes of the current frame that have not come yet, and whose they are. */
  #left = 0;
  #stream: "stdout" | "stderr" = "stdout";

  constructor(take: (stream: "stdout" | "stderr", chunk: Buffer) => void) {
    this.#take = take;
  }

  /** Frames are passed on piece by piece: the length of one is the container's choice. */
  add(chunk: Buffer): void {
    let data = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    for (;;) {
      if (this.#left > 0) {
        const part = data.subarray(0, this.#left);
        if (part.length > 0) this.#take(this.#stream, part);
        this.#left -= part.length;
        data = data.subarray(part.length);
      }
      if (this.#left > 0 || data.length < HEADER_BYTES) break;
      this.#stream = data[0] === 2 ? "stderr" : "stdout";
      this.#left = data.readUInt32BE(4);
      data = data.subarray(HEADER_BYTES);
    }
    this.#rest = data;
  }
}
