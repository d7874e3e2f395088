import type { Token } from "@tutti/model";
import { AWAIT_LABEL, CLEANUP_AFTER_LABEL, CLEANUP_LABEL } from "./container-plan.ts";
import type { Containers, Seen } from "./containers.ts";

/** Looking for what is to be removed costs a list of ended containers: once a minute is often enough for times in minutes. */
const SWEEP_EVERY_MS = 60_000;
/** Container states in which nothing of it runs. */
const ENDED: readonly string[] = ["exited", "dead"];

/**
 * Removes containers when their time has come, and never one whose outcome may still be needed: that is, one that is not marked as done, unless
 * nobody waits for it.
 */
export class Cleaner {
  readonly #containers: Containers;
  readonly #settling = new Map<Token, Promise<void>>();
  #sweptAtMs = Number.NEGATIVE_INFINITY;

  constructor(containers: Containers) {
    this.#containers = containers;
  }

  /** The outcome of the token's attempt is stored. */
  settled(token: Token): Promise<void> {
    const settling = this.#settle(token).finally(() => this.#settling.delete(token));
    this.#settling.set(token, settling);
    return settling;
  }

  /** Resolves when what was stored of earlier attempts of the token can be seen at their containers. */
  async untilSettled(token: Token): Promise<void> {
    // Its failure is told to whoever settles.
    await this.#settling.get(token)?.catch(() => {});
  }

  async #settle(token: Token): Promise<void> {
    for (const seen of await this.#containers.ofToken(token)) if (ENDED.includes(seen.status)) await this.#finish(seen);
  }

  /** Nobody will ask for this container's outcome. */
  async finish(id: string): Promise<void> {
    const seen = await this.#containers.inspect(id);
    if (seen !== undefined) await this.#finish(seen);
  }

  /** Removes what was to be removed later, whoever made it. */
  async sweep(): Promise<void> {
    if (performance.now() - this.#sweptAtMs < SWEEP_EVERY_MS) return;
    this.#sweptAtMs = performance.now();
    for (const cleanup of ["always", "eventually"]) {
      const left = await this.#containers.labelled([`${CLEANUP_LABEL}=${cleanup}`], ENDED);
      for (const seen of left.filter(isDue)) {
        if (seen.labels[AWAIT_LABEL] === "false" || (await this.#containers.isDone(seen.id))) await this.#containers.remove(seen.id);
      }
    }
  }

  async #finish(seen: Seen): Promise<void> {
    if (seen.labels[CLEANUP_LABEL] === "always") await this.#containers.remove(seen.id);
    else await this.#containers.markDone(seen.id);
  }
}

function isDue({ labels, finishedAtMs }: Seen): boolean {
  return Date.now() >= finishedAtMs + Number(labels[CLEANUP_AFTER_LABEL] ?? 0) * 1000;
}
