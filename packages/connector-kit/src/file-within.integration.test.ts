import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fileWithin, OutsideDirectoryError } from "./file-within.ts";

let root: string;
let flows: string;

beforeAll(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), "tutti-within-")));
  flows = join(root, "flows");
  await mkdir(join(flows, "inner"), { recursive: true });
  await mkdir(join(root, "flows-other"));
  await writeFile(join(flows, "inner", "a.yaml"), "");
  await writeFile(join(root, "secret.yaml"), "");
  await writeFile(join(root, "flows-other", "b.yaml"), "");
  await symlink(join(root, "secret.yaml"), join(flows, "link.yaml"));
  await symlink(root, join(flows, "up"));
  await symlink(join(flows, "inner", "a.yaml"), join(flows, "same.yaml"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

test.each([["inner/a.yaml"], ["./inner/../inner/a.yaml"], ["same.yaml"]])("%s is inside", async (path) => {
  expect(await fileWithin([flows], path)).toBe(join(flows, "inner", "a.yaml"));
});

test.each([
  ["../secret.yaml"],
  ["link.yaml"],
  ["up/secret.yaml"],
  ["../flows-other/b.yaml"],
  ["/etc/passwd"],
  ["../not-there.yaml"],
  ["inner/../../secret.yaml"],
])("%s is outside", async (path) => {
  await expect(fileWithin([flows], path)).rejects.toThrow(OutsideDirectoryError);
});

test("a file that is not there is the system's error; further directories may be allowed; a linked directory is where it leads", async () => {
  await expect(fileWithin([flows], "none.yaml")).rejects.toMatchObject({ code: "ENOENT" });
  expect(await fileWithin([flows, join(root, "flows-other")], "../flows-other/b.yaml")).toBe(join(root, "flows-other", "b.yaml"));
  expect(await fileWithin([join(flows, "up", "flows")], "inner/a.yaml")).toBe(join(flows, "inner", "a.yaml"));
});
