import { describe, expect, test } from "vitest";
import { decodePayload, encodeMessage, inbound, plainHeaders } from "./message.ts";

describe("what is sent", () => {
  test.each([
    [{ a: 1 }, "application/json", '{"a":1}'],
    ["text", "application/json", '"text"'],
    ["text", "text/plain", "text"],
    [undefined, "application/json", ""],
    [null, "application/vnd.x+json", "null"],
  ])("%j as %s", (payload, type, body) => {
    expect(encodeMessage({ payload, headers: { n: 1, b: true } }, type)).toEqual({
      body: Buffer.from(body),
      contentType: type,
      headers: { n: "1", b: "true" },
    });
  });
});

describe("what comes", () => {
  test.each([
    ['{"a":1}', "application/json", { a: 1 }],
    ['{"a":1}', undefined, { a: 1 }],
    ["not json", "application/json", "not json"],
    ["5", "text/plain", "5"],
    ["", undefined, null],
  ])("%s as %s", (text, type, payload) => {
    expect(decodePayload(Buffer.from(text), type)).toEqual(payload);
  });

  test("bytes that are no text come as base64", () => {
    expect(decodePayload(Buffer.from([0xff, 0x00]), undefined)).toBe("/wA=");
  });

  test("headers become plain data, and one of them ties an answer to its question", () => {
    const headers = plainHeaders({ b: Buffer.from("x"), nested: { at: new Date(0) }, big: 10n, gone: undefined });
    expect(headers).toEqual({ b: "x", nested: { at: "1970-01-01T00:00:00.000Z" }, big: "10" });
    expect(inbound(Buffer.from("1"), undefined, { "Correlation-ID": "c" })).toMatchObject({ correlationId: "c" });
  });
});
