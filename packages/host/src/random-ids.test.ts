import { expect, test } from "vitest";
import { createRandomIds } from "./random-ids.ts";

test("ids are of one form, never the same, and use every character about equally often", () => {
  const randomId = createRandomIds();
  const ids = Array.from({ length: 5000 }, () => randomId());
  expect(ids.every((id) => /^[0-9a-z]{16}$/.test(id))).toBe(true);
  expect(new Set(ids).size).toBe(ids.length);
  const counts = new Map<string, number>();
  for (const character of ids.join("")) counts.set(character, (counts.get(character) ?? 0) + 1);
  const expected = (5000 * 16) / 36;
  // Seven standard deviations: a biased byte range would show as a quarter more or less.
  for (const count of counts.values()) expect(Math.abs(count - expected)).toBeLessThan(7 * Math.sqrt(expected));
  expect(counts.size).toBe(36);
});
