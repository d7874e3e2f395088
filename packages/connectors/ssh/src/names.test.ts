import { expect, test } from "vitest";
import { lineOf, readPathState } from "./file-state.ts";
import { Mode, quoted, RemotePath } from "./names.ts";

test.each(["", "a b", "it's", `'"$(id)\`\\`, "new\nline", "-n", "é*?[x]"])("a shell reads %j as it is", (text) => {
  expect(quoted(text)).toBe(`'${text.split("'").join(`'\\''`)}'`);
});

test.each([
  ["/etc//app/", "/etc/app"],
  ["/", "/"],
  ["/a b/..c/.d", "/a b/..c/.d"],
])("the path %s is %s", (given, path) => {
  expect(RemotePath.parse(given)).toBe(path);
});

test.each(["etc/app", "", "/a/../b", "/a/.", "/a\nb", "/a\0b"])("%j is no path for a host", (path) => {
  expect(RemotePath.safeParse(path).success).toBe(false);
});

test.each([
  ["0644", "644"],
  ["4755", "4755"],
  ["007", "007"],
])("the mode %s is %s", (given, mode) => {
  expect(Mode.parse(given)).toBe(mode);
});

test("what stands at a path is read as it is written", () => {
  const file = { kind: "file", mode: "007", owner: "root", group: "www-data", bytes: 3, sha256: "a".repeat(64) } as const;
  const directory = { kind: "directory", mode: "755", owner: "root", group: "root" } as const;
  expect(lineOf(file)).toBe(`file|7|root|www-data|3|${"a".repeat(64)}`);
  for (const state of [file, directory]) expect(readPathState(lineOf(state))).toEqual(state);
  expect([lineOf(null), readPathState("absent"), readPathState("file|644"), readPathState("")]).toEqual([
    "absent",
    { kind: "absent" },
    undefined,
    undefined,
  ]);
});
