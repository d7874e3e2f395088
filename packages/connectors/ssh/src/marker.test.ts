import { expect, test } from "vitest";
import { AfterMark } from "./marker.ts";

const MARK = "tutti:0123456789abcdef ";

/** What is heard of the text, in pieces of this size. */
function heard(text: string, size: number): { readonly after: string; readonly word: string | undefined; readonly noise: string } {
  const mark = new AfterMark(MARK);
  const bytes = Buffer.from(text);
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) parts.push(mark.take(bytes.subarray(at, at + size)) ?? Buffer.from("TOO MUCH"));
  return { after: Buffer.concat(parts).toString(), word: mark.word, noise: mark.noise };
}

test.each([1, 3, 1000])("what a shell says before the mark is dropped, in pieces of %i", (size) => {
  expect(heard(`Welcome!\nYou have mail.\n${MARK}4711\nthe answer\n${MARK}again\n`, size)).toEqual({
    after: `the answer\n${MARK}again\n`,
    word: "4711",
    noise: "",
  });
});

test("without the mark everything is noise, and too much of it ends it", () => {
  expect(heard("This account is not available.\n", 5)).toEqual({ after: "", word: undefined, noise: "This account is not available.\n" });
  expect(heard("y\n".repeat(40_000), 30_000).after).toContain("TOO MUCH");
});
