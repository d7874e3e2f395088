import fc from "fast-check";
import { expect, test } from "vitest";
import { parseDocument } from "./parse-document.ts";
import { readAccepted } from "./read-accepted.ts";

test("JSON is read as `parseDocument` reads it, down to the sign of a zero", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 4 })), fc.constantFrom(undefined, 2), (document, indent) => {
      const text = JSON.stringify(document, undefined, indent);
      const parsed = parseDocument(text);
      // What is refused, such as a control character, is in no store.
      fc.pre(parsed.findings.length === 0);
      expect(readAccepted(text)).toStrictEqual(parsed.json);
    }),
    { numRuns: 500 },
  );
});

test.each<[string, unknown]>([
  ["{ a: 1, b: [x, 'y'] }", { a: 1, b: ["x", "y"] }],
  ["a: 1\n", { a: 1 }],
  ['{ "a": 1, # why\n }', { a: 1 }],
  ["{ a: [", undefined],
])("%j is read as YAML", (text, expected) => {
  expect(readAccepted(text)).toEqual(expected);
});
