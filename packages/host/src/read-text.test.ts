import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { decodeText, readText } from "./read-text.ts";

test("reads UTF-8 with or without a byte order mark, and names the place where a text is something else", () => {
  expect(decodeText(Buffer.from("\uFEFFa: é"), "a.yaml")).toBe("a: é");
  expect(() => decodeText(Buffer.from([0x61, 0x0a, 0x62, 0xff]), "a.yaml")).toThrow("a.yaml:2:2: this is not UTF-8 text.");
  expect(() => decodeText(Buffer.from([0xff, 0xfe, 0x61, 0]), "a.yaml")).toThrow("a.yaml:1:1: this is UTF-16 text.");
});

test("refuses a file that is too large, and one that has no end, before it is read", async () => {
  const folder = await mkdtemp(join(tmpdir(), "tutti-read-"));
  try {
    await writeFile(join(folder, "large"), "abc");
    await expect(readText(join(folder, "large"), "large", 3)).resolves.toBe("abc");
    await expect(readText(join(folder, "large"), "large", 2)).rejects.toMatchObject({ code: "limit-exceeded" });
    await expect(readText("/dev/zero", "/dev/zero", 2)).rejects.toMatchObject({ code: "limit-exceeded" });
  } finally {
    await rm(folder, { recursive: true });
  }
});
