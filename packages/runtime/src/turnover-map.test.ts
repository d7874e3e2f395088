import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { TurnoverMap } from "./turnover-map.ts";

const LIVE = 200;
const PASSING = 20_000;
const MIB = 1024 * 1024;

test("holds what was put in and not taken out, in its order, however many have passed through", () => {
  const map = new TurnoverMap<number, string>();
  for (let key = 0; key < PASSING; key++) {
    map.set(key, `value ${key}`);
    if (key >= LIVE) expect(map.delete(key - LIVE)).toBe(true);
    expect(map.get(key)).toBe(`value ${key}`);
  }
  expect(map.size).toBe(LIVE);
  expect(map.delete(0)).toBe(false);
  expect(map.get(PASSING - LIVE - 1)).toBeUndefined();
  const keys = Array.from({ length: LIVE }, (_, index) => PASSING - LIVE + index);
  expect([...map.keys()]).toEqual(keys);
  expect([...map.values()]).toEqual(keys.map((key) => `value ${key}`));
  expect([...map.entries()]).toEqual(keys.map((key) => [key, `value ${key}`]));
});

test("everything can be taken out while it is iterated", () => {
  const map = new TurnoverMap<number, number>();
  for (let key = 0; key < PASSING; key++) map.set(key, key);
  for (const key of map.keys()) map.delete(key);
  expect(map.size).toBe(0);
  map.set(1, 1);
  expect([...map.keys()]).toEqual([1]);
});

test("what has left is not carried into the old generation by what came after it", () => {
  setFlagsFromString("--expose-gc");
  // A context of its own sees the flag that was set after the start.
  const collect = runInNewContext("gc") as (options: { readonly type: "minor" | "major" }) => void;
  const map = new TurnoverMap<number, readonly number[]>();
  const pass = (from: number, count: number): void => {
    for (let key = from; key < from + count; key++) {
      map.set(
        key,
        Array.from({ length: 128 }, () => key),
      );
      map.delete(key - LIVE);
    }
  };
  pass(0, LIVE + 100);
  collect({ type: "major" });
  const before = getHeapStatistics().used_heap_size;
  for (let from = LIVE + 100; from < PASSING; from += 1000) {
    pass(from, 1000);
    collect({ type: "minor" });
  }
  // 20 MiB have passed; a plain Map keeps nearly all of it until the next full collection.
  expect((getHeapStatistics().used_heap_size - before) / MIB).toBeLessThan(8);
});
