import { type Attempt, ConnectorError } from "@tutti/connector-kit";
import { FAN_OUT_MAX, type Json, PAYLOAD_BYTES_MAX } from "@tutti/model";
import type { Subscription } from "./asyncapi-input.ts";
import { toJson } from "./message.ts";
import type { AsyncapiLimits, Delivery, Source } from "./protocol.ts";

/**
 * Takes messages until the subscription's lifetime is over, and returns them in the order in which they came.
 *
 * `until` is asked before the first message and after each, `while` after each, both on the array of what was taken so far. Messages that the
 * filter does not want are passed over. Where a broker lends messages, the taken ones are acknowledged once the output is stored: a crash
 * before that gives them back, so each is consumed at least once.
 *
 * @throws ConnectorError when the connection is lost, a limit is passed or the attempt is stopped: nothing is acknowledged then.
 */
export async function consume(source: Source, rule: Subscription, attempt: Attempt, limits: AsyncapiLimits): Promise<Json> {
  let isKept = false;
  try {
    const taken = await take(source, rule, attempt);
    if (source.keep !== undefined && taken.length > 0) {
      isKept = true;
      keepWhenStored(source, source.keep, taken, attempt, limits);
    }
    return taken.map(({ message }) => toJson(message));
  } finally {
    if (!isKept) await source.close();
  }
}

async function take(source: Source, rule: Subscription, attempt: Attempt): Promise<Delivery[]> {
  const { filter, consume: lifetime } = rule;
  const taken: Delivery[] = [];
  const soFar = (): Json => taken.map(({ message }) => toJson(message));
  if (lifetime.amount === 0 || (lifetime.until !== undefined && (await attempt.ask("until", [])))) return taken;
  const over = endOf(lifetime.for, attempt);
  const messages = source.deliveries[Symbol.asyncIterator]();
  let bytes = 0;
  try {
    for (;;) {
      const next = await Promise.race([messages.next(), over.promise]);
      if (next === "time is up") return taken;
      if (next.done === true) throw ended(taken.length);
      const delivery = next.value;
      if (filter !== undefined && !(await attempt.ask("filter", toJson(delivery.message)))) continue;
      taken.push(delivery);
      bytes += delivery.bytes;
      if (taken.length > FAN_OUT_MAX || bytes > PAYLOAD_BYTES_MAX)
        throw tooMuch(`A subscription takes at most ${FAN_OUT_MAX} messages and ${PAYLOAD_BYTES_MAX} bytes: consume fewer at a time.`);
      if (lifetime.amount !== undefined && taken.length >= lifetime.amount) return taken;
      if (lifetime.until !== undefined && (await attempt.ask("until", soFar()))) return taken;
      if (lifetime.while !== undefined && !(await attempt.ask("while", soFar()))) return taken;
    }
  } finally {
    over.clear();
  }
}

/** Resolves when time is up, fails when the attempt is stopped. */
function endOf(forMs: number | undefined, attempt: Attempt): { readonly promise: Promise<"time is up">; readonly clear: () => void } {
  const { promise, resolve, reject } = Promise.withResolvers<"time is up">();
  const stop = (): void =>
    reject(new ConnectorError("The subscription was ended: the attempt was stopped.", { kind: "timeout", outcome: "unknown" }));
  promise.catch(() => {});
  if (attempt.signal.aborted) stop();
  else attempt.signal.addEventListener("abort", stop, { once: true });
  const timers = new Timers();
  if (forMs !== undefined) timers.after(forMs, () => resolve("time is up"));
  return {
    promise,
    clear: () => {
      timers.clear();
      attempt.signal.removeEventListener("abort", stop);
    },
  };
}

/** A timer of Node runs at most 24.8 days. */
const TIMER_MS_MAX = 2 ** 31 - 1;

class Timers {
  #timer: NodeJS.Timeout | undefined;

  after(ms: number, then: () => void): void {
    this.#timer = ms > TIMER_MS_MAX ? setTimeout(() => this.after(ms - TIMER_MS_MAX, then), TIMER_MS_MAX) : setTimeout(then, ms);
  }

  clear(): void {
    clearTimeout(this.#timer);
  }
}

/** The connection stays open until the output is stored; if that does not come, what was lent goes back with the connection. */
function keepWhenStored(
  source: Source,
  keep: NonNullable<Source["keep"]>,
  taken: readonly Delivery[],
  attempt: Attempt,
  limits: AsyncapiLimits,
): void {
  const giveBack = setTimeout(() => void source.close().catch(() => {}), limits.storeMs);
  // It must not keep a process alive that has nothing else to do: its end gives the messages back as well.
  giveBack.unref();
  attempt.afterStored(async (end) => {
    clearTimeout(giveBack);
    try {
      // An output that could not be used (too large, say) was not stored: what it told of goes back.
      if (end === "completed") await keep(taken);
    } finally {
      await source.close();
    }
  });
}

function ended(count: number): ConnectorError {
  return new ConnectorError(`The other side ended the stream of messages after ${count} of them were taken.`, {
    kind: "communication",
    outcome: "unknown",
    retryable: true,
  });
}

function tooMuch(message: string): ConnectorError {
  return new ConnectorError(message, { kind: "validation", outcome: "answered" });
}
