import { expect, test } from "vitest";
import { renderUndo } from "./undo.ts";

const undone = { input: { zone: "lab.test.", records: ["10.0.0.1"] }, output: { token: "tok", before: null } };

test("the arguments of an undo are what its expressions give over the call's input and output; other values stay as they are", () => {
  const undo = {
    call: "recordset.restore:1",
    with: { zone: "${ .input.zone }", before: "${ .output.before }", made: { by: ["${ .output.token }", "tutti"], count: 1 } },
  };
  expect(renderUndo(undo, undone)).toEqual({ zone: "lab.test.", before: null, made: { by: ["tok", "tutti"], count: 1 } });
});

test("what is not there is null, and data is never taken for an expression", () => {
  const input = { zone: "${ .output.token }" };
  const undo = { call: "x:1", with: { zone: "${ .input.zone }", provider: "${ .input.provider }" } };
  expect(renderUndo(undo, { input, output: null })).toEqual({ zone: "${ .output.token }", provider: null });
});

test("an expression that fails on these values says so", () => {
  expect(() => renderUndo({ call: "x:1", with: { n: "${ .input.zone + 1 }" } }, undone)).toThrow("cannot be added");
});
