import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, expect, test } from "vitest";
import { BUNDLES, CACHE, freshBundle, programFile } from "./programs.mjs";

const run = promisify(execFile);
const root = dirname(import.meta.dirname);
const CLI = "apps/cli/src/main.ts";
const HARDENED = ["--disallow-code-generation-from-strings", "--disable-proto=delete", "--disable-warning=ExperimentalWarning"];

beforeAll(async () => {
  await run(process.execPath, ["scripts/bundle.ts", "tutti"], { cwd: root });
});

test("a program starts from its bundle, and from its source where that is asked for or nothing was bundled", () => {
  expect(dirname(dirname(programFile(CLI)))).toBe(CACHE);
  expect(programFile(CLI, { TUTTI_BUNDLE: "off" })).toBe(join(root, CLI));
  expect(programFile("examples/quickstart/start.ts")).toBe(join(root, "examples/quickstart/start.ts"));
});

test.each<[string, (state: string, file: string) => string, boolean]>([
  ["nothing changed", (state) => state, true],
  ["a source changed", (state, file) => (file === "packages/model/src/index.ts" ? "0 0" : state), false],
  ["the packages changed", (state, file) => (file === "package-lock.json" ? "0 0" : state), false],
])("%s: whether the bundle counts", (_, change, isFresh) => {
  const cache = mkdtempSync(join(tmpdir(), "tutti-bundle-"));
  try {
    const text = readFileSync(join(CACHE, "tutti.json"), "utf8");
    const description = JSON.parse(text) as { folder: string; entries: string[][]; sources: [string, string][] };
    const sources = description.sources.map(([file, state]) => [file, change(state, file)]);
    writeFileSync(join(cache, "tutti.json"), JSON.stringify({ ...description, sources }));
    expect(freshBundle("tutti", cache) !== undefined).toBe(isFresh);
  } finally {
    rmSync(cache, { recursive: true, force: true });
  }
});

test("a source that is gone or a description that is none: the source runs", () => {
  const cache = mkdtempSync(join(tmpdir(), "tutti-bundle-"));
  try {
    expect(freshBundle("tutti", cache)).toBeUndefined();
    writeFileSync(join(cache, "tutti.json"), '{"sou');
    expect(freshBundle("tutti", cache)).toBeUndefined();
    writeFileSync(join(cache, "tutti.json"), JSON.stringify({ folder: "", entries: [], sources: [["packages/model/src/gone.ts", "1 1"]] }));
    expect(freshBundle("tutti", cache)).toBeUndefined();
  } finally {
    rmSync(cache, { recursive: true, force: true });
  }
});

test("every part of the bundle can be loaded, also those that a process loads when it first needs them", async () => {
  const folder = dirname(programFile(CLI));
  const entries = new Set(BUNDLES.tutti.map((source) => `${source.split("/").at(-1)?.replace(/\.ts$/, "")}.js`));
  const parts = readdirSync(folder).filter((file) => file.endsWith(".js") && !entries.has(file));
  expect(parts.some((file) => file.startsWith("grpc-call-"))).toBe(true);
  const program = `for (const part of ${JSON.stringify(parts.map((part) => join(folder, part)))}) await import(part); console.log("loaded");`;
  const { stdout } = await run(process.execPath, [...HARDENED, "--input-type=module", "-e", program]);
  expect(stdout).toBe("loaded\n");
});

test("the bundled command answers as the one of the sources does", async () => {
  const [bundled, fromSources] = await Promise.all(
    [programFile(CLI), join(root, CLI)].map((file) => run(process.execPath, [...HARDENED, file, "run", "start", "--help"])),
  );
  expect(bundled?.stdout).toContain("Usage: tutti run start");
  expect(bundled).toEqual(fromSources);
});
