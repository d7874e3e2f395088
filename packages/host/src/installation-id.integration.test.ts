import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { resolveDataDirectory } from "./data-directory.ts";
import { installationId } from "./installation-id.ts";

let path = "";
beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), "tutti-installation-"));
});
afterEach(async () => {
  await rm(path, { recursive: true, force: true });
});

test("a data directory gets an id once and keeps it", async () => {
  const directory = resolveDataDirectory({ flag: path, environment: {}, currentDirectory: "/" });
  const id = await installationId(directory);
  expect(id).toMatch(/^[0-9a-f]{32}$/);
  expect(await installationId(directory)).toBe(id);
  expect(await readFile(join(path, "installation-id"), "utf8")).toBe(`${id}\n`);
});

test("what a crash left half written is made anew", async () => {
  const directory = resolveDataDirectory({ flag: path, environment: {}, currentDirectory: "/" });
  await writeFile(join(path, "installation-id.new"), "abc");
  expect(await installationId(directory)).toMatch(/^[0-9a-f]{32}$/);
});
