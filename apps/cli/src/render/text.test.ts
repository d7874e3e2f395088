import { expect, test } from "vitest";
import { groupDigits, oneLine, padEnd, plural, textWidth, truncate } from "./text.ts";

test("width counts columns: wide characters two, combining marks none", () => {
  expect([textWidth("abc"), textWidth("日本"), textWidth("e\u0301"), textWidth("🚀")]).toEqual([3, 4, 1, 2]);
});

test("a text that is too wide ends with an ellipsis and never passes the width", () => {
  expect([truncate("abcdef", 6), truncate("abcdef", 4), truncate("日本語", 4), truncate("abc", 0)]).toEqual(["abcdef", "abc…", "日…", ""]);
});

test("escape sequences, bidirectional controls and line breaks of run data become harmless", () => {
  expect(oneLine("a\u001b[31mb\r\n  c\u202ed\u009b2J")).toBe("a\\u001b[31mb c\\u202ed\\u009b2J");
});

test("numbers are grouped, nouns agree", () => {
  expect([groupDigits(1234567), plural(1, "task"), plural(12_345, "task"), padEnd("日", 3)]).toEqual([
    "1,234,567",
    "1 task",
    "12,345 tasks",
    "日 ",
  ]);
});
