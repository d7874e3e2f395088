import { crc32 } from "node:zlib";
import type { Random } from "@tutti/testkit";

/** Whose memory an event lives in: it never happens once its owner is dead, and waits while its owner is stopped. */
export interface Owner {
  readonly isAlive: boolean;
  /** Until this virtual time nothing of the owner happens. */
  readonly pausedUntilMs: number;
}

/** Something that will happen; clearing it takes it back. */
export interface Scheduled {
  clear(): void;
}

interface Entry extends Scheduled {
  atMs: number;
  readonly tie: number;
  readonly order: number;
  readonly owner: Owner | undefined;
  readonly label: string;
  readonly happen: () => void;
  isCleared: boolean;
}

/** Deferred work comes before timers of the same moment, as the runtime's `Env` promises; everything else takes its chance. */
const DEFERRED = 0;
const ORDINARY = 1;

/**
 * The only source of progress in a simulation: one event after the other, by virtual time, and by chance among those of the same moment. After
 * each event everything runs that needs no event: promise reactions, and nothing else, since all else is an event.
 */
export class Scheduler {
  /** Virtual time since the simulation began, in milliseconds. */
  nowMs = 0;
  steps = 0;
  /** Of everything that happened so far, in order: two simulations with the same hash were the same. */
  hash = 0;
  /** Receives each step's label, for people. */
  trace: ((line: string) => void) | undefined;
  readonly #random: Random;
  readonly #heap: Entry[] = [];
  #order = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Lets `happen` happen `delayMs` from now, unless it is cleared or `owner` dies. */
  after(delayMs: number, label: string, happen: () => void, owner?: Owner): Scheduled {
    return this.#push(this.nowMs + Math.max(0, delayMs), ORDINARY + this.#random.next(), { label, happen, owner });
  }

  /** Lets `happen` happen after what is running now, before timers. */
  soon(label: string, happen: () => void, owner?: Owner): Scheduled {
    return this.#push(this.nowMs, DEFERRED + this.#random.next(), { label, happen, owner });
  }

  /** Adds to the hash what an event led to. */
  note(text: string): void {
    this.hash = crc32(text, this.hash);
    this.trace?.(`${" ".repeat(14)}${text}`);
  }

  /**
   * Carries out events until `isOver` or nothing is left. `watch` is called after each one.
   *
   * @throws what `watch` throws.
   */
  async drive(isOver: () => boolean, watch: () => void): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const turn = (): void => {
        try {
          watch();
          if (isOver() || !this.#step()) resolve();
          else setImmediate(turn);
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      };
      setImmediate(turn);
    });
  }

  /** False when there is nothing left to happen. */
  #step(): boolean {
    for (;;) {
      const entry = pop(this.#heap);
      if (entry === undefined) return false;
      const { owner } = entry;
      if (entry.isCleared || owner?.isAlive === false) continue;
      if (owner !== undefined && owner.pausedUntilMs > entry.atMs) {
        entry.atMs = owner.pausedUntilMs;
        push(this.#heap, entry);
        continue;
      }
      entry.isCleared = true;
      this.nowMs = Math.max(this.nowMs, entry.atMs);
      this.steps += 1;
      this.hash = crc32(`${this.nowMs} ${entry.label}`, this.hash);
      this.trace?.(`${this.nowMs.toFixed(3).padStart(12)}  ${entry.label}`);
      entry.happen();
      return true;
    }
  }

  #push(atMs: number, tie: number, event: Pick<Entry, "label" | "happen" | "owner">): Scheduled {
    this.#order += 1;
    const entry: Entry = {
      ...event,
      atMs,
      tie,
      order: this.#order,
      isCleared: false,
      clear: () => {
        entry.isCleared = true;
      },
    };
    push(this.#heap, entry);
    return entry;
  }
}

function isBefore(left: Entry, right: Entry): boolean {
  if (left.atMs !== right.atMs) return left.atMs < right.atMs;
  return left.tie === right.tie ? left.order < right.order : left.tie < right.tie;
}

function push(heap: Entry[], entry: Entry): void {
  let index = heap.push(entry) - 1;
  while (index > 0) {
    const above = (index - 1) >> 1;
    const parent = heap[above] as Entry;
    if (!isBefore(entry, parent)) break;
    heap[index] = parent;
    index = above;
  }
  heap[index] = entry;
}

function pop(heap: Entry[]): Entry | undefined {
  const first = heap[0];
  const last = heap.pop();
  if (first === undefined || last === undefined || heap.length === 0) return first;
  let index = 0;
  for (;;) {
    let below = index * 2 + 1;
    if (below >= heap.length) break;
    // Both indexes are inside the heap.
    if (below + 1 < heap.length && isBefore(heap[below + 1] as Entry, heap[below] as Entry)) below += 1;
    const child = heap[below] as Entry;
    if (!isBefore(child, last)) break;
    heap[index] = child;
    index = below;
  }
  heap[index] = last;
  return first;
}
