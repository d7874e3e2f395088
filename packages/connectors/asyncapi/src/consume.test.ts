import { attemptForTests } from "@tutti/connector-kit";
import { expect, test } from "vitest";
import { consume } from "./consume.ts";
import { DEFAULT_LIMITS, type Delivery, type Source } from "./protocol.ts";

/** A broker that lends three messages, and notes what becomes of them. */
function lending(noted: string[]): Source {
  const delivery = (n: number): Delivery => ({ message: { payload: n, headers: {} }, bytes: 1 });
  return {
    deliveries: (async function* () {
      yield* [1, 2, 3].map(delivery);
    })(),
    keep: async (taken) => void noted.push(`keeps ${taken.length}`),
    close: async () => void noted.push("closes"),
  };
}

test.each([
  ["completed", ["keeps 2", "closes"]],
  ["failed", ["closes"]],
] as const)(
  "what was lent is acknowledged when its output is stored, and goes back when that could not be used: %s",
  async (end, expected) => {
    const noted: string[] = [];
    const attempt = attemptForTests();
    const taken = await consume(lending(noted), { consume: { amount: 2 } }, attempt, DEFAULT_LIMITS);
    expect(taken).toHaveLength(2);
    expect(noted).toEqual([]);
    await attempt.store(end);
    expect(noted).toEqual(expected);
  },
);
