import { describe, expect, test } from "vitest";
import type { Connector, ConnectorFunction } from "./connector.ts";
import { defineConnector } from "./define-connector.ts";
import type { Undo } from "./undo.ts";
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

const idempotent: ConnectorFunction = { ...read, effect: "idempotent" };

function undone(undo: Undo, change: Partial<ConnectorFunction> = {}): Connector {
  return connector({ functions: { "vm.create:1": { ...idempotent, undo, ...change }, "vm.delete:1": idempotent } });
}

function connector(change: Partial<Connector>): Connector {
  return { name: "sample", version: "1.0.0", functions: { "vm.read:1": read }, ...change };
}

describe("defineConnector", () => {
  test("a sound declaration comes back frozen", () => {
    const defined = defineConnector(connector({}));
    expect(Object.keys(defined.functions)).toEqual(["vm.read:1"]);
    expect(Object.isFrozen(defined) && Object.isFrozen(defined.functions)).toBe(true);
  });

  test("an undo stays with the provider of the call that it undoes, unless it names another", () => {
    const functions = {
      "vm.create:1": { ...idempotent, undo: { call: "vm.delete:1", with: { id: "${ .output.id }" } } },
      "vm.move:1": { ...idempotent, undo: { call: "vm.delete:1", with: { provider: "${ .output.target }" } } },
      "vm.delete:1": idempotent,
    };
    const defined = defineConnector(connector({ functions, configuration: z.object({}) })).functions;
    expect(defined["vm.create:1"]?.undo?.with).toEqual({ provider: "${ .input.provider }", id: "${ .output.id }" });
    expect(defined["vm.move:1"]?.undo?.with).toEqual({ provider: "${ .output.target }" });
    const without = defineConnector(connector({ functions })).functions;
    expect(without["vm.create:1"]?.undo?.with).toEqual({ id: "${ .output.id }" });
  });

  test.each([
    ["an upper case name", connector({ name: "Sample" }), "lower case"],
    ["an @ in the name", connector({ name: "a@b" }), "lower case"],
    ["a version without patch", connector({ version: "1.0" }), "major.minor.patch"],
    ["no functions", connector({ functions: {} }), "has a function"],
    ["a function name with a full version", connector({ functions: { "vm.read:1.0.0": read } }), "function name"],
    ["a function name that no document can call", connector({ functions: { "poolMember.read:1": read } }), "function name"],
    ["a findable function without find", connector({ functions: { "vm.create:1": { ...read, effect: "findable" } } }), "so has find"],
    ["an endless settle time", connector({ functions: { "vm.read:1": { ...read, settleMs: Infinity } } }), "settleMs"],
    ["a concurrency of nothing", connector({ functions: { "vm.read:1": { ...read, concurrencyMax: 0 } } }), "concurrencyMax"],
    [
      "an undo by a function that is not there",
      undone({ call: "vm.destroy:1", with: {} }),
      '"vm.destroy:1" is none of vm.create:1, vm.delete:1',
    ],
    ["an undo by another connector", undone({ call: "vm.delete:1@other", with: {} }), "calls a function of its own connector"],
    ["an undo that does not parse", undone({ call: "vm.delete:1", with: { id: "${ .output. }" } }), "with/id holds: "],
    ["an undo that reads a variable", undone({ call: "vm.delete:1", with: { a: [{ b: "${ $context.id }" }] } }), "with/a/0/b holds: "],
    ["an undo that reads what is not there", undone({ call: "vm.delete:1", with: { id: "${ .outptu.id }" } }), "it reads .outptu.id"],
    [
      "an expression inside a longer text",
      undone({ call: "vm.delete:1", with: { id: "vm-${ .output.id }" } }),
      "with/id is an expression as a whole",
    ],
    ["an undo of what can't be undone", undone({ call: "vm.delete:1", with: {} }, { irreversible: true }), "not both"],
    ["an undo of a look", undone({ call: "vm.delete:1", with: {} }, { effect: "read" }), "changes nothing"],
    ["a resource type that is not there", undone({ call: "vm.delete:1", with: {} }, { creates: "disk" }), 'touches "disk"'],
    ["two ways of touching", undone({ call: "vm.delete:1", with: {} }, { creates: "vm", deletes: "vm" }), "one of creates"],
    ["a check without anything to check", connector({ check: async () => ({ status: "healthy", version: undefined }) }), "configuration"],
  ])("%s is refused", (_, declared, message) => {
    expect(() => defineConnector(declared)).toThrow(message);
  });
});
