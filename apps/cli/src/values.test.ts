import { expect, test } from "vitest";
import { assignAll, parseLabels, splitPair } from "./values.ts";

test("--set nests by dots and reads JSON where it is JSON", () => {
  expect(assignAll({ vm: { size: "m", cores: 1 }, keep: true }, ["vm.cores=4", "vm.name=web 1", 'tags=["a"]', "empty="])).toEqual({
    keep: true,
    vm: { size: "m", cores: 4, name: "web 1" },
    tags: ["a"],
    empty: "",
  });
});

test("--set never reaches a prototype", () => {
  const assigned = assignAll({}, ["__proto__.polluted=1", "constructor.x=2"]);
  expect(Object.hasOwn(assigned as object, "__proto__")).toBe(true);
  expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
});

test("--set on an input that is no object, and a pair without a name, are refused", () => {
  expect(() => assignAll([1], ["a=1"])).toThrow("changes members of an object");
  expect(() => splitPair("=x", "--label")).toThrow("--label takes NAME=VALUE");
  expect(parseLabels(["a=b=c", "d="])).toEqual({ a: "b=c", d: "" });
});
