import { describe, expect, test } from "vitest";
import { DOCUMENT_BYTES_MAX } from "@tutti/model";
import { parseDocument } from "./parse-document.ts";

function rulesOf(text: string): string[] {
  return parseDocument(text).findings.map((finding) => `${finding.rule} ${finding.line}:${finding.column}`);
}

describe("parseDocument", () => {
  test("reads YAML and JSON to the same data", () => {
    const expected = { document: { name: "a" }, do: [1, "x", null, true] };
    expect(parseDocument("document: { name: a }\ndo:\n  - 1\n  - x\n  -\n  - true\n").json).toEqual(expected);
    expect(parseDocument(JSON.stringify(expected, undefined, "\t")).json).toEqual(expected);
  });

  test("keeps the words that older YAML takes for booleans and times", () => {
    expect(parseDocument("on: yes\nat: 12:30:00\nday: 2026-01-31\n1: a").json).toEqual({
      on: "yes",
      at: "12:30:00",
      day: "2026-01-31",
      1: "a",
    });
  });

  test("expands aliases, and shares nothing that could be changed", () => {
    expect(parseDocument("a: &x { b: [1] }\nc: *x").json).toEqual({ a: { b: [1] }, c: { b: [1] } });
  });

  test("a key __proto__ is data like any other", () => {
    const { json } = parseDocument('{"__proto__": {"polluted": 1}}');
    expect(Object.keys(json ?? {})).toEqual(["__proto__"]);
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });

  test.each([
    ["a: 1\nb: 2\na: 3", "duplicate-key 3:1"],
    ['{"a": 1, "a": 2}', "duplicate-key 1:10"],
    ["1: a\n'1': b", "duplicate-key 2:1"],
    ["a: !secret x", "yaml-tag 1:12"],
    ["a: !!binary aGk=", "yaml-tag 1:13"],
    ["a: .nan", "yaml-value 1:4"],
    ["a: *nowhere", "yaml-alias 1:4"],
    ["a: &x\n  b: *x", "yaml-alias 2:6"],
    ["a: &x { b: 1 }\nc:\n  <<: *x", "yaml-merge-key 3:3"],
    ["? [a]\n: 1", "yaml-key 1:3"],
    ["%YAML 1.1\n---\na: yes", "yaml-version 1:1"],
    ["a: 1\n---\nb: 2", "yaml-syntax 2:1"],
    ["a: [1, 2", "yaml-syntax 1:9"],
    ["", "not-a-document 1:1"],
    ["- a", "not-a-document 1:1"],
  ])("%j is refused with its place", (text, expected) => {
    expect(rulesOf(text)).toEqual([expected]);
    expect(parseDocument(text).json).toBeUndefined();
  });

  test("aliases that expand to very much are refused quickly", () => {
    const levels = Array.from({ length: 12 }, (_, level) => `l${level + 1}: &l${level + 1} [${Array(10).fill(`*l${level}`).join(",")}]`);
    expect(parseDocument(["l0: &l0 [x]", ...levels].join("\n")).findings[0]?.rule).toBe("yaml-alias");
  });

  test("deep nesting is refused, whatever its depth", () => {
    expect(parseDocument(`a: ${"[".repeat(600)}${"]".repeat(600)}`).findings[0]?.rule).toBe("document-too-deep");
    expect(parseDocument(`a: ${"[".repeat(20_000)}${"]".repeat(20_000)}`).findings.map(({ rule }) => rule)).toEqual(["document-too-deep"]);
    expect(parseDocument("- ".repeat(20_000)).findings.map(({ rule }) => rule)).toEqual(["document-too-deep"]);
  });

  test("a text over the limit is refused unread", () => {
    expect(rulesOf("x".repeat(DOCUMENT_BYTES_MAX + 1))).toEqual(["document-too-large 1:1"]);
  });
});

describe("positions", () => {
  const text = [
    "document:",
    "  name: a",
    "do:",
    "  - first:",
    "      set:",
    '        x: "${ .a\\u0020+ }"',
    "        y: '${ .it''s }'",
    "        z: |",
    "          ${ .a",
    "           + 1 }",
  ].join("\n");
  const parsed = parseDocument(text);

  test("scalars have their own place, collections that of their key", () => {
    expect(parsed.positionOf("/document/name")).toEqual({ line: 2, column: 9 });
    expect(parsed.positionOf("/document/name", "key")).toEqual({ line: 2, column: 3 });
    expect(parsed.positionOf("/do/0/first/set")).toEqual({ line: 5, column: 7 });
    expect(parsed.positionOf("/do/0")).toEqual({ line: 4, column: 5 });
  });

  test("what is missing has the place of its nearest ancestor", () => {
    expect(parsed.positionOf("/do/0/first/set/nothing/here")).toEqual({ line: 5, column: 7 });
    expect(parsed.positionOf("/nothing")).toEqual({ line: 1, column: 1 });
  });

  test("characters of a string have their place in the text", () => {
    expect(parsed.positionInText("/do/0/first/set/x", 6)).toEqual({ line: 6, column: 24 });
    expect(parsed.positionInText("/do/0/first/set/y", 9)).toEqual({ line: 7, column: 23 });
    expect(parsed.positionInText("/do/0/first/set/z", 7)).toEqual({ line: 10, column: 12 });
  });
});
