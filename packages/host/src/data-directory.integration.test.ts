import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { prepareDataDirectory, resolveDataDirectory } from "./data-directory.ts";

let parent: string;
beforeAll(() => {
  parent = mkdtempSync(join(tmpdir(), "tutti-data-"));
});
afterAll(() => rmSync(parent, { recursive: true, force: true }));

function directoryWith(name: string, files: readonly string[]): string {
  const path = join(parent, name);
  mkdirSync(path);
  chmodSync(path, 0o755);
  for (const file of files) writeFileSync(join(path, file), "");
  return path;
}

async function prepare(path: string): Promise<number> {
  await prepareDataDirectory(resolveDataDirectory({ flag: path, environment: {}, currentDirectory: "/" }));
  return statSync(path).mode & 0o777;
}

test("a directory that others use for other things is refused, and stays as it is", async () => {
  const path = directoryWith("shared", ["photo.jpg"]);
  await expect(prepare(path)).rejects.toMatchObject({
    code: "file-unreadable",
    message: expect.stringContaining("not Tutti's") as unknown,
  });
  expect(statSync(path).mode & 0o777).toBe(0o755);
});

test("an open directory that is empty, prepared, or ours already is closed to others", async () => {
  expect(await prepare(directoryWith("empty", []))).toBe(0o700);
  expect(await prepare(directoryWith("prepared", ["settings.yaml"]))).toBe(0o700);
  expect(await prepare(directoryWith("ours", ["owner.db", "notes.txt"]))).toBe(0o700);
});
