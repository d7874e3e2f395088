import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { reservePrefix, sweepLeftFiles } from "./left-files.ts";
import { PipeReserve } from "./pipe-reserve.ts";

const before = process.env["TMPDIR"];
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "pipes-test-"));
  process.env["TMPDIR"] = directory;
});
afterEach(() => {
  if (before === undefined) delete process.env["TMPDIR"];
  else process.env["TMPDIR"] = before;
  rmSync(directory, { recursive: true, force: true });
});

test("pipes of this user only, from one reserve until it is used up; attempts at the same time get different ones", async () => {
  const reserve = new PipeReserve();
  const names = Array.from({ length: 66 }, (_, index) => join(directory, `pipe-${index}`));
  await Promise.all(names.slice(0, 64).map((name) => reserve.put([name])));
  expect(reserves()).toHaveLength(1);
  await reserve.put(names.slice(64));
  expect(reserves()).toHaveLength(2);
  const pipes = names.map((name) => statSync(name));
  expect(pipes.every((pipe) => pipe.isFIFO() && (pipe.mode & 0o777) === 0o600)).toBe(true);
  expect(new Set(pipes.map((pipe) => pipe.ino)).size).toBe(names.length);
});

test("a reserve that was cleaned away is made again", async () => {
  const reserve = new PipeReserve();
  await reserve.put([join(directory, "one")]);
  for (const name of reserves()) rmSync(join(directory, name), { recursive: true });
  await reserve.put([join(directory, "two")]);
  expect(statSync(join(directory, "two")).isFIFO()).toBe(true);
});

test("the reserve of a process that was killed is swept, that of a living one stays", async () => {
  const reserve = new PipeReserve();
  await reserve.put([join(directory, "one")]);
  const [living = ""] = reserves();
  const [namespace, , startTime] = reservePrefix().slice("tutti-pipes-".length, -1).split(".");
  const dead = join(directory, `tutti-pipes-${namespace}.${process.pid}.${Number(startTime) - 1}-abcdef`);
  mkdirSync(dead);
  await sweepLeftFiles();
  expect([existsSync(dead), existsSync(join(directory, living))]).toEqual([false, true]);
});

function reserves(): string[] {
  return readdirSync(directory).filter((name) => name.startsWith("tutti-pipes-"));
}
