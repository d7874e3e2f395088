import { VirtualClock } from "@tutti/testkit";
import { expect, test } from "vitest";
import { Clock, TimerQueue } from "./clock.ts";
import type { Env } from "./env.ts";

function timers(): { readonly virtual: VirtualClock; readonly clock: Clock; readonly queue: TimerQueue } {
  const virtual = new VirtualClock(0);
  // Only the clock's part of the environment is used here.
  const env = {
    wallClockMs: () => virtual.wallClockMs(),
    monotonicMs: () => virtual.monotonicMs(),
    setTimer: virtual.setTimer.bind(virtual),
  } as unknown as Env;
  const clock = new Clock(env);
  return { virtual, clock, queue: new TimerQueue(env, clock) };
}

test("timers fire in the order of their due times, cleared ones never", async () => {
  const { virtual, queue } = timers();
  const fired: number[] = [];
  const entries = [50, 10, 30, 20, 40].map((dueAtMs) => queue.schedule(dueAtMs, () => fired.push(dueAtMs)));
  queue.clear(entries[2] as (typeof entries)[0]);
  await virtual.advance(45);
  expect(fired).toEqual([10, 20, 40]);
  await virtual.advance(10);
  expect(fired).toEqual([10, 20, 40, 50]);
  expect(queue.size).toBe(0);
});

test("many cleared timers do not stay in memory and do not hold up others", async () => {
  const { virtual, queue } = timers();
  const fired: number[] = [];
  for (let index = 0; index < 1000; index += 1) {
    const entry = queue.schedule(1_000_000 + index, () => fired.push(index));
    queue.schedule(index, () => fired.push(-1));
    queue.clear(entry);
  }
  await virtual.advance(2_000_000);
  expect(fired).toHaveLength(1000);
  expect(queue.size).toBe(0);
});

test("time follows the wall clock forwards and never back", async () => {
  const { virtual, clock, queue } = timers();
  let firedAtMs: number | undefined;
  queue.schedule(3_600_000, () => {
    firedAtMs = clock.nowMs();
  });
  virtual.jumpWallClock(3_600_000);
  await virtual.advance(6000);
  expect(firedAtMs).toBeGreaterThanOrEqual(3_600_000);
  const before = clock.nowMs();
  virtual.jumpWallClock(-7_200_000);
  await virtual.advance(6000);
  expect(clock.nowMs()).toBeGreaterThanOrEqual(before + 6000);
});
