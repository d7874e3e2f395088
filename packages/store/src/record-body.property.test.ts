import fc from "fast-check";
import { expect, test } from "vitest";
import { encodeRecord, payloadHash, restoreText } from "./record-body.ts";

// The same cases in every check: a change is judged by what it changed. SEED=… looks elsewhere.
fc.configureGlobal({ seed: Number(process.env["SEED"] ?? 20_261_122) });

test("cutting values out and putting them back gives the same text, for any data", () => {
  const markerLike = fc.record({ $payload: fc.stringMatching(/^[0-9a-f]{64}$/) });
  const data = fc.oneof(fc.jsonValue({ maxDepth: 5 }), markerLike, fc.array(markerLike, { maxLength: 5 }));
  fc.assert(
    fc.property(data, fc.string({ maxLength: 300 }), fc.integer({ min: 5, max: 300 }), (value, text, limit) => {
      const record = { type: "fact", at: 1, value, text, both: [value, { text }] };
      const body = encodeRecord(record, limit);
      const payloads = body.payloads ?? [];
      for (const payload of payloads) expect(payloadHash(payload.text)).toBe(payload.hash);
      // The text with markers is JSON as well: tools can read it.
      JSON.parse(body.text);
      const texts = new Map(payloads.map((payload) => [payload.hash, payload.text]));
      expect(restoreText(body.text, payloads, (hash) => texts.get(hash) ?? "")).toBe(JSON.stringify(record));
    }),
  );
});

test("a small record has no payloads and is plain JSON", () => {
  const record = { type: "fact", at: 5, value: { $payload: "x" } };
  expect(encodeRecord(record)).toEqual({ type: "fact", atMs: 5, text: JSON.stringify(record) });
});
