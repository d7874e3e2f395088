import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { LiveRegion } from "./live-region.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** What a terminal shows after `text`: enough of one for what the region writes. */
function screenAfter(text: string): readonly string[] {
  const lines = [""];
  let row = 0;
  for (const [token] of text.matchAll(/\u001b\[\??\d*[A-Za-z]|\n|\r|[^\u001b\n\r]+/g)) {
    if (token === "\n") lines[++row] ??= "";
    else if (token.endsWith("A") && token.startsWith("\u001b")) row -= Number(token.slice(2, -1));
    else if (token === "\u001b[J") lines.splice(row, lines.length, "");
    else if (token === "\u001b[K" || token === "\r" || token.startsWith("\u001b")) continue;
    else lines[row] = token;
  }
  return lines;
}

test("frames overwrite each other in place, quick changes share one, and the last one stays", () => {
  let written = "";
  let frames = 0;
  let lines: readonly string[] = ["a", "b", "c"];
  const region = new LiveRegion(
    (text) => (written += text),
    () => {
      frames++;
      return lines;
    },
  );
  region.start();
  lines = ["a", "B"];
  for (let change = 0; change < 50; change++) region.changed();
  vi.advanceTimersByTime(100);
  expect(frames).toBe(2);
  expect(screenAfter(written)).toEqual(["a", "B", ""]);
  lines = ["a", "B", "done"];
  region.stop();
  expect(screenAfter(written)).toEqual(["a", "B", "done", ""]);
  expect(written.endsWith("\u001b[?25h")).toBe(true);
  expect(vi.getTimerCount()).toBe(0);
});
