import { describe, expect, test } from "vitest";
import { createRandom } from "./random.ts";

describe("createRandom", () => {
  test("the same seed gives the same sequence, whatever machine, and another seed another", () => {
    const random = createRandom("seed 7");
    expect([random.integer(0, 999), random.integer(0, 999), random.integer(0, 999), random.integer(0, 999)]).toMatchInlineSnapshot(`
      [
        686,
        777,
        92,
        399,
      ]
    `);
    expect(createRandom("a").next()).not.toBe(createRandom("b").next());
    expect(createRandom(12).next()).toBe(createRandom("12").next());
  });

  test("numbers are spread evenly and stay in their bounds", () => {
    const random = createRandom(1);
    const buckets = Array.from({ length: 10 }, () => 0);
    for (let draw = 0; draw < 100_000; draw += 1) {
      const value = random.integer(0, 9);
      buckets[value] = (buckets[value] ?? Number.NaN) + 1;
    }
    // Six standard deviations (about 95) around 10,000: fails for a bad generator, not by chance.
    for (const count of buckets) expect(Math.abs(count - 10_000)).toBeLessThan(570);
  });

  test("what a fork draws does not shift its origin, and neighbouring seeds are not alike", () => {
    const left = createRandom(5);
    const right = createRandom(5);
    right.fork("other").next();
    expect(left.next()).toBe(right.next());
    const firsts = new Set(Array.from({ length: 1000 }, (_, seed) => createRandom(seed).next()));
    expect(firsts.size).toBe(1000);
  });

  test("shuffle keeps every item and leaves the original alone", () => {
    const items = [1, 2, 3, 4, 5];
    expect(
      createRandom(3)
        .shuffle(items)
        .toSorted((a, b) => a - b),
    ).toEqual(items);
    expect(items).toEqual([1, 2, 3, 4, 5]);
    expect(() => createRandom(1).pick([])).toThrow("Nothing to pick from");
  });
});
