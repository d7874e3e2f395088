import { EFFECT_CLASSES, type Json } from "@tutti/model";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { RunRecord } from "./record.ts";
import { serializeRecord } from "./serialize-record.ts";

const text = fc.string({ unit: "binary", maxLength: 20 });
const time = fc.double({ min: 0, max: 8.64e15, noNaN: true });
// fast-check's JSON values are plain.
const json = fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<Json>;

const record: fc.Arbitrary<RunRecord> = fc.oneof(
  fc.record({
    type: fc.constant("attempt-intended" as const),
    at: time,
    task: fc.nat(),
    path: text,
    token: fc.stringMatching(/^tok_[0-9a-f]{32}$/),
    attempt: fc.nat(),
    function: text,
    effect: fc.constantFrom(...EFFECT_CLASSES),
  }),
  fc.record({
    type: fc.constant("attempt-ended" as const),
    at: time,
    task: fc.nat(),
    attempt: fc.nat(),
    outcome: fc.record({ kind: fc.constant("completed" as const), output: json }),
  }),
  fc.record({
    type: fc.constant("attempt-ended" as const),
    at: time,
    task: fc.nat(),
    attempt: fc.nat(),
    outcome: fc.record({
      kind: fc.constant("unknown" as const),
      reason: fc.constant("crash" as const),
      error: fc.record({ type: text, status: fc.nat(), title: text }),
    }),
  }),
  fc.record({ type: fc.constant("timer-fired" as const), at: time, timer: fc.nat() }),
);

test("a record's text is the JSON of the record, to the letter", () => {
  fc.assert(
    fc.property(record, (one) => {
      expect(serializeRecord(one)).toBe(JSON.stringify(one));
    }),
    { seed: 1, numRuns: 1000 },
  );
});
