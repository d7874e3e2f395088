import { describe, expect, test } from "vitest";
import type { Connector, ConnectorFunction } from "./connector.ts";
import { defineConnector } from "./define-connector.ts";
import { z } from "zod";

const read: ConnectorFunction = {
  title: "Read",
  input: z.object({}),
  output: z.null(),
  effect: "read",
  requestTimeoutMs: 0,
  settleMs: 0,
  run: async () => null,
};

function connector(change: Partial<Connector>): Connector {
  return { name: "sample", version: "1.0.0", functions: { "vm.read:1": read }, ...change };
}

describe("defineConnector", () => {
  test("a sound declaration comes back frozen", () => {
    const defined = defineConnector(connector({}));
    expect(Object.keys(defined.functions)).toEqual(["vm.read:1"]);
    expect(Object.isFrozen(defined) && Object.isFrozen(defined.functions)).toBe(true);
  });

  test.each([
    ["an upper case name", connector({ name: "Sample" }), "lower case"],
    ["an @ in the name", connector({ name: "a@b" }), "lower case"],
    ["a version without patch", connector({ version: "1.0" }), "major.minor.patch"],
    ["no functions", connector({ functions: {} }), "has a function"],
    ["a function name with a full version", connector({ functions: { "vm.read:1.0.0": read } }), "function name"],
    ["a findable function without find", connector({ functions: { "vm.create:1": { ...read, effect: "findable" } } }), "so has find"],
    ["an endless settle time", connector({ functions: { "vm.read:1": { ...read, settleMs: Infinity } } }), "settleMs"],
    ["a concurrency of nothing", connector({ functions: { "vm.read:1": { ...read, concurrencyMax: 0 } } }), "concurrencyMax"],
  ])("%s is refused", (_, declared, message) => {
    expect(() => defineConnector(declared)).toThrow(message);
  });
});
