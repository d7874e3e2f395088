import type { RunState, Timer, TimerPurpose } from "./state.ts";

/** Adds a timer; the caller emits the command. */
export function addTimer(state: RunState, task: number, purpose: TimerPurpose, dueAtMs: number): Timer {
  const timer: Timer = { id: state.nextTimer++, dueAtMs, setAtMs: state.lastAtMs, task, purpose };
  state.timers.set(timer.id, timer);
  addTimerToHeap(state, timer);
  return timer;
}

/** Gives the timer another moment; the caller emits the command. */
export function moveTimer(state: RunState, timer: Timer, dueAtMs: number): Timer {
  const moved: Timer = { ...timer, dueAtMs };
  state.timers.set(timer.id, moved);
  addTimerToHeap(state, moved);
  return moved;
}

/** Cleared timers may make up half of the heap before it is made anew: a long loop of tasks with timeouts must not fill it. */
const HEAP_SLACK = 64;

export function addTimerToHeap(state: RunState, timer: Timer): void {
  const heap = state.timerHeap;
  if (heap.length > 2 * state.timers.size + HEAP_SLACK) {
    heap.length = 0;
    for (const live of state.timers.values()) push(heap, [live.dueAtMs, live.id]);
    // The new one may be among them; twice is harmless.
  }
  push(state.timerHeap, [timer.dueAtMs, timer.id]);
}

/** The earliest timer's time. Cleared timers are dropped from the heap when they come up, so this is cheap over a run's life. */
export function earliestTimer(state: RunState): number | undefined {
  const heap = state.timerHeap;
  for (;;) {
    const top = heap[0];
    if (top === undefined) return undefined;
    // A timer that was moved has left an entry with its former moment behind.
    if (state.timers.get(top[1])?.dueAtMs === top[0]) return top[0];
    pop(heap);
  }
}

type Entry = [number, number];

function isBefore(left: Entry, right: Entry): boolean {
  return left[0] < right[0] || (left[0] === right[0] && left[1] < right[1]);
}

function push(heap: Entry[], entry: Entry): void {
  let index = heap.push(entry) - 1;
  while (index > 0) {
    const parent = (index - 1) >> 1;
    const above = heap[parent] as Entry;
    if (!isBefore(entry, above)) break;
    heap[index] = above;
    index = parent;
  }
  heap[index] = entry;
}

function pop(heap: Entry[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let index = 0;
  for (;;) {
    let child = 2 * index + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && isBefore(heap[child + 1] as Entry, heap[child] as Entry)) child++;
    if (!isBefore(heap[child] as Entry, last)) break;
    heap[index] = heap[child] as Entry;
    index = child;
  }
  heap[index] = last;
}
