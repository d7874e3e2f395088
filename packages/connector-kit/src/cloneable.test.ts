import { describe, expect, test } from "vitest";
import { assertCloneable, findNotCloneable } from "./cloneable.ts";
import { ConnectorError } from "./connector.ts";

const cycle: { self?: unknown } = {};
cycle.self = cycle;

describe("findNotCloneable", () => {
  test.each([
    [null],
    [""],
    [0],
    [-1.5],
    [true],
    [[]],
    [{}],
    [{ a: [1, { b: null }] }],
    [Object.create(null)],
    [JSON.parse('{"__proto__": 1}')],
  ])("%j goes through", (value) => {
    expect(findNotCloneable(value)).toBeUndefined();
  });

  test.each([
    [undefined, "the value is undefined"],
    [{ a: undefined }, "/a is undefined"],
    [{ a: [1, Number.NaN] }, "/a/1 is NaN"],
    [{ a: Infinity }, "/a is Infinity"],
    [{ at: new Date(0) }, "/at is a Date"],
    [new Map(), "the value is a Map"],
    [{ f: () => 1 }, "/f is a function"],
    [10n, "the value is a bigint"],
    [[1, , 2], "array with holes"], // oxlint-disable-line no-sparse-arrays
    [cycle, "contains itself"],
  ])("case %# is refused with its place", (value, message) => {
    expect(findNotCloneable(value)).toContain(message);
  });

  test("assertCloneable fails as an answered error, since the effect did happen", () => {
    const refused = (): void => assertCloneable({ a: undefined }, "the output of vm.create:1@libvirt");
    expect(refused).toThrow(ConnectorError);
    expect(refused).toThrow("the output of vm.create:1@libvirt is not plain JSON: /a is undefined, which JSON does not have.");
  });
});
