import { expect, test } from "vitest";
import { AppError } from "@tutti/model";
import { fromWireError, parseClientFrame, parseOwnerFrame, toWireError } from "./protocol.ts";

test.each([
  ['{"id":1,"call":"show","with":{"runId":"x"}}', { id: 1, call: "show", with: { runId: "x" } }],
  ['{"id":1,"call":"diagnose"}', { id: 1, call: "diagnose", with: {} }],
  ['{"id":1,"cancel":true}', { id: 1, cancel: true }],
  ['{"id":-1,"call":"show"}', undefined],
  ['{"id":"1","call":"show"}', undefined],
  ['{"id":1,"call":"show","with":[]}', undefined],
  ["[1]", undefined],
  ["nonsense", undefined],
])("the client frame %s is read as %j", (text, frame) => {
  expect(parseClientFrame(text)).toEqual(frame);
});

test("an owner's frame is a hello or an answer", () => {
  expect(parseOwnerFrame('{"hello":{"protocol":1}}')).toEqual({ hello: { protocol: 1 } });
  expect(parseOwnerFrame('{"id":3,"done":true}')).toEqual({ id: 3, done: true });
  expect(parseOwnerFrame('{"hello":7}')).toBeUndefined();
});

test("an error crosses the wire with code, message, hint and details", () => {
  const thrown = new AppError("run-not-found", "There is no run x.", { hint: "Look.", details: { runId: "x" } });
  const received = fromWireError(toWireError(thrown));
  expect(received).toBeInstanceOf(AppError);
  expect(received).toMatchObject({
    code: "run-not-found",
    kind: "not-found",
    message: "There is no run x.",
    hint: "Look.",
    details: { runId: "x" },
  });
  expect(fromWireError(toWireError(new TypeError("a bug")))).not.toBeInstanceOf(AppError);
});
