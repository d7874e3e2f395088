import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, unlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { LogFile } from "./log-file.ts";

let directory: string;
let path: string;
let complaints: string[];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "tutti-log-"));
  path = join(directory, "up.log");
  complaints = [];
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const open = (): LogFile => new LogFile(path, (message) => void complaints.push(message));

test("lines are appended to a file for its owner only, and go on in a new one after it was moved away", () => {
  const file = open();
  file.write("one\n");
  expect(statSync(path).mode & 0o777).toBe(0o600);
  renameSync(path, `${path}.1`);
  file.write("two\n");
  file.reopen();
  file.write("three\n");
  file.close();
  file.write("four\n");
  const again = open();
  again.write("five\n");
  again.close();
  expect([readFileSync(`${path}.1`, "utf8"), readFileSync(path, "utf8"), complaints]).toEqual(["one\ntwo\n", "three\nfive\n", []]);
});

test("a disk that is full costs lines and is told once; a name that can't be opened leaves the old file", () => {
  expect(() => new LogFile(join(directory, "none", "up.log"), () => {})).toThrow(expect.objectContaining({ code: "file-unreadable" }));
  // The device that is always full.
  symlinkSync("/dev/full", path);
  const file = open();
  file.write("one\n");
  file.write("two\n");
  unlinkSync(path);
  file.reopen();
  file.write("three\n");
  renameSync(path, `${path}.1`);
  symlinkSync(join(directory, "none", "up.log"), path);
  file.reopen();
  file.write("four\n");
  file.close();
  expect(readFileSync(`${path}.1`, "utf8")).toBe("three\nfour\n");
  expect(complaints).toEqual([expect.stringMatching(/can't be written: ENOSPC/), expect.stringMatching(/can't be opened anew/)]);
  expect(existsSync(path)).toBe(false);
});
