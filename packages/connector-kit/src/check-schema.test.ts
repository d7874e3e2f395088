import { describe, expect, test } from "vitest";
import { z } from "zod";
import { checkInput, checkOutput, parseInput } from "./check-schema.ts";
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
});
