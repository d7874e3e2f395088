import { describe, expect, test } from "vitest";
import { z } from "zod";
import { checkInput, checkOutput, parseInput, readBySchema } from "./check-schema.ts";
import type { ConnectorFunction } from "./connector.ts";

const declared: ConnectorFunction = {
  title: "Sample",
  input: z.strictObject({ size: z.enum(["s", "m"]), disks: z.array(z.object({ gib: z.number() })).default([]) }),
  output: z.object({ id: z.string() }),
  effect: "read",
  requestTimeoutMs: 0,
  settleMs: 0,
  run: async () => null,
};

describe("schema checks", () => {
  test("a fitting input has nothing wrong, and its defaults are filled in when it is parsed", () => {
    expect(checkInput(declared, { size: "m" })).toBeUndefined();
    expect(parseInput(declared.input, { size: "m" })).toEqual({ size: "m", disks: [] });
  });

  test("each mistake is named with its path", () => {
    const text = checkInput(declared, { size: "xl", disks: [{ gib: "1" }], colour: "red" });
    expect(text).toContain("size: ");
    expect(text).toContain("disks.0.gib: ");
    expect(text).toContain('"colour"');
    expect(checkOutput(declared, { id: 7 })).toContain("id: ");
  });

  test("parseInput refuses before anything began", () => {
    expect(() => parseInput(declared.input, {})).toThrow(expect.objectContaining({ errorKind: "validation", outcome: "never-began" }));
  });

  test.each([
    ["a text with a length rule", z.object({ id: z.string().min(1) })],
    ["a list with a length rule", z.object({ id: z.array(z.string()).max(2) })],
    ["a rule that throws", z.object({ id: z.custom().refine((id) => (id as string).startsWith("x")) })],
  ])("a value on which the schema itself fails does not fit: %s", (_, schema) => {
    const value = { id: { length: { toString: 0 } } };
    expect(() => schema.safeParse(value)).toThrow(TypeError);
    const problem = expect.stringContaining("the schema itself fails on it (TypeError)") as string;
    expect(readBySchema(schema, value)).toEqual({ kind: "misfit", problem });
    expect(checkOutput({ ...declared, output: schema }, value)).toEqual(problem);
    expect(() => parseInput(schema, value)).toThrow(expect.objectContaining({ errorKind: "validation", outcome: "never-began" }));
  });
});
