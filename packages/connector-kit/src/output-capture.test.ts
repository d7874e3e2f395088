import { expect, test } from "vitest";
import { OUTPUT_BYTES_MAX, OutputCapture } from "./output-capture.ts";

function capture(chunks: readonly (string | Buffer)[]) {
  const lines: string[] = [];
  const captured = new OutputCapture((line) => lines.push(line));
  for (const chunk of chunks) captured.add(Buffer.from(chunk as string));
  captured.end();
  captured.end();
  return { text: captured.text, lines };
}

test("the text is whole but for one line end; lines are logged as they end, the last one in any case", () => {
  expect(capture(["a\nb", "c\n\nd"])).toEqual({ text: "a\nbc\n\nd", lines: ["a", "bc", "", "d"] });
  expect(capture(["a\n\n"])).toEqual({ text: "a\n", lines: ["a", ""] });
  expect(capture([])).toEqual({ text: "", lines: [] });
});

test("a character across two chunks stays whole, and bytes that are none are replaced", () => {
  const euro = Buffer.from("€");
  expect(capture([euro.subarray(0, 1), euro.subarray(1)]).text).toBe("€");
  expect(capture([Buffer.from([0x61, 0xff]), euro.subarray(0, 2)])).toEqual({ text: "a\uFFFD\uFFFD", lines: ["a\uFFFD\uFFFD"] });
});

test("an endless line is logged in pieces; too much is refused and what came is kept", () => {
  expect(capture(["x".repeat(20_000), "y\n"]).lines).toEqual(["x".repeat(20_000), "y"]);
  const captured = new OutputCapture(() => {});
  expect(captured.add(Buffer.alloc(OUTPUT_BYTES_MAX, "x"))).toBe(true);
  expect(captured.add(Buffer.from("y"))).toBe(false);
  expect(captured.text).toHaveLength(OUTPUT_BYTES_MAX);
});

test("after 100,000 lines the log says so and stops; the text goes on", () => {
  const { text, lines } = capture(["y\n".repeat(100_003)]);
  expect(lines).toHaveLength(100_001);
  expect(lines.at(-1)).toContain("the rest is not logged");
  expect(text).toHaveLength(2 * 100_003 - 1);
});
