import { ConnectorError } from "@tutti/connector-kit";
import { MESSAGE_BYTES_MAX } from "./message.ts";
import type { Delivery } from "./protocol.ts";

/** Messages that came and nobody has looked at yet: filters are quick, so more than this means that the process can't keep up. */
const WAITING_MAX = 10_000;
const WAITING_BYTES_MAX = 64 * 1024 * 1024;

/** Turns the events of a client library into a stream: first in, first out, bounded, with one end. */
export class DeliveryQueue<D extends Delivery> implements AsyncIterable<D> {
  readonly #waiting: D[] = [];
  #bytes = 0;
  #end: { readonly error: Error | undefined } | undefined;
  #wake: (() => void) | undefined;

  push(delivery: D): void {
    if (this.#end !== undefined) return;
    if (delivery.bytes > MESSAGE_BYTES_MAX)
      return this.fail(overflow(`A message has ${delivery.bytes} bytes; at most ${MESSAGE_BYTES_MAX} are taken.`));
    this.#waiting.push(delivery);
    this.#bytes += delivery.bytes;
    if (this.#waiting.length > WAITING_MAX || this.#bytes > WAITING_BYTES_MAX)
      return this.fail(overflow(`Messages come faster than they are taken: ${this.#waiting.length} of them wait.`));
    this.#signal();
  }

  /** No more will come. */
  end(): void {
    this.#end ??= { error: undefined };
    this.#signal();
  }

  /** What waits is still handed out, then the stream fails. */
  fail(error: Error): void {
    this.#end ??= { error };
    this.#signal();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<D, void, undefined> {
    for (;;) {
      const next = this.#waiting.shift();
      if (next !== undefined) {
        this.#bytes -= next.bytes;
        yield next;
      } else if (this.#end !== undefined) {
        if (this.#end.error !== undefined) throw this.#end.error;
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }

  #signal(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}

function overflow(message: string): ConnectorError {
  return new ConnectorError(message, { kind: "communication", outcome: "unknown" });
}
