import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const pages = globSync("**/*.md", { cwd: root, exclude: (name) => name === "node_modules" || name === ".git" }).map((path) => ({
  path,
  text: readFileSync(join(root, path), "utf8"),
}));
/** Folders of the repository whose files the pages name in code marks. */
const NAMED = /`((?:packages|apps|scripts|tests|examples|lab|bench|docs)\/[\w./-]+)`/g;
/** Names that stand for any: `packages/connectors/NAME`. */
const PLACEHOLDER = /[A-Z]{3,}/;

test("links between pages lead somewhere", () => {
  const broken = pages.flatMap(({ path, text }) =>
    [...text.matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target = ""]) => target.split("#")[0] ?? "")
      .filter((target) => target !== "" && !/^[a-z]+:/.test(target) && !existsSync(join(root, dirname(path), target)))
      .map((target) => `${path}: ${target}`),
  );
  expect(broken).toEqual([]);
});

test("files that pages name are there", () => {
  const missing = pages.flatMap(({ path, text }) =>
    [...text.matchAll(NAMED)]
      .map(([, name = ""]) => name)
      .filter((name) => !PLACEHOLDER.test(name.split("/").at(-1) ?? "") || name.endsWith(".md"))
      .filter((name) => !existsSync(join(root, name)))
      .map((name) => `${path}: ${name}`),
  );
  expect(missing).toEqual([]);
});

test("scripts that pages name are in package.json", () => {
  // npm checks the format of this file.
  const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { scripts: Readonly<Record<string, string>> };
  const unknown = pages.flatMap(({ path, text }) =>
    [...text.matchAll(/npm run ([\w:-]+)/g)]
      .map(([, name = ""]) => name)
      .filter((name) => scripts[name] === undefined)
      .map((name) => `${path}: ${name}`),
  );
  expect(unknown).toEqual([]);
});
