import { expect, test } from "vitest";
import { LineSplitter } from "./line-splitter.ts";

test("lines come out whole however the bytes are cut, also inside of a character", () => {
  const bytes = Buffer.from('{"a":"ü€"}\n\n{"b":2}\nrest');
  for (const size of [1, 2, 3, 7, bytes.length]) {
    const splitter = new LineSplitter(100);
    const lines: string[] = [];
    for (let at = 0; at < bytes.length; at += size) lines.push(...(splitter.push(bytes.subarray(at, at + size)) ?? []));
    expect(lines).toEqual(['{"a":"ü€"}', "", '{"b":2}']);
  }
});

test("a line beyond the limit is refused before it is kept", () => {
  expect(new LineSplitter(4).push(Buffer.from("12345"))).toBeUndefined();
  expect(new LineSplitter(4).push(Buffer.from("12345\n"))).toBeUndefined();
  expect(new LineSplitter(4).push(Buffer.from("1234\n12"))).toEqual(["1234"]);
});
