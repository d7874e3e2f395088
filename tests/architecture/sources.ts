import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { isJsonObject, type Json } from "@tutti/model";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** A workspace package, as far as the architecture rules look at it. */
export interface Package {
  /** `engine`, `connectors/http`, `apps/cli`: the key of the layer table. */
  readonly layer: string;
  readonly name: string;
  readonly dependencies: ReadonlySet<string>;
  readonly devDependencies: ReadonlySet<string>;
  /** Specifiers under which others may import it. */
  readonly entries: ReadonlySet<string>;
  readonly files: readonly SourceFile[];
}

export interface SourceFile {
  /** From the repository's root, with `/`. */
  readonly path: string;
  readonly text: string;
  readonly imports: readonly Import[];
  /** Tests and the suites that ports offer to their implementations: they may use test tools and `testkit`. */
  readonly isTest: boolean;
}

export interface Import {
  readonly specifier: string;
  readonly isTypeOnly: boolean;
  /** The clause between `import` and `from`; empty for side effects and dynamic imports. */
  readonly clause: string;
}

const PACKAGE_FOLDERS = ["packages", "packages/connectors", "apps"];
const LOOSE_FOLDERS = ["scripts", "tests", "lab", "bench", "examples"];

/** Every package of the workspace with its sources. */
export function readPackages(): readonly Package[] {
  return PACKAGE_FOLDERS.flatMap((folder) =>
    readdirSync(join(root, folder), { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && existsSync(join(root, folder, entry.name, "package.json")))
      .map((entry) => readPackage(`${folder}/${entry.name}`)),
  );
}

/** Sources that belong to no package: tools, whole-system tests, lab, benchmarks, examples. */
export function readLooseFiles(): readonly SourceFile[] {
  return LOOSE_FOLDERS.flatMap((folder) => readSources(folder));
}

function readPackage(folder: string): Package {
  // npm checks the format of these files; only the parts below are read.
  const manifest = JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8")) as Readonly<Record<string, Json>>;
  const name = manifest["name"] as string;
  return {
    layer: folder.replace(/^packages\//, ""),
    name,
    dependencies: keysOf(manifest["dependencies"]),
    devDependencies: keysOf(manifest["devDependencies"]),
    entries: new Set([...keysOf(manifest["exports"])].map((key) => name + key.slice(1))),
    files: readSources(`${folder}/src`),
  };
}

function keysOf(value: Json | undefined): ReadonlySet<string> {
  return new Set(isJsonObject(value) ? Object.keys(value) : []);
}

function readSources(folder: string): readonly SourceFile[] {
  const directory = join(root, folder);
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts") && !entry.parentPath.includes("node_modules"))
    .map((entry) => {
      const file = join(entry.parentPath, entry.name);
      const text = readFileSync(file, "utf8");
      const path = relative(root, file).replaceAll("\\", "/");
      return {
        path,
        text,
        imports: importsOf(text),
        isTest: /(\.test|-for-tests)\.ts$|\/conformance(\/[^/]+)?\.ts$/.test(path),
      };
    });
}

const STATIC = /^\s*(?:import|export)\b((?:[^"';]|\n)*?)\bfrom\s*"([^"]+)"|^\s*import\s*"([^"]+)"/gm;
const DYNAMIC = /\bimport\(\s*"([^"]+)"\s*\)/g;

/** Imports and re-exports, found by their text: our formatter leaves one shape of each. */
function importsOf(text: string): readonly Import[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
  const found: Import[] = [];
  for (const [, clause = "", from, bare] of code.matchAll(STATIC)) {
    found.push({ specifier: from ?? bare ?? "", isTypeOnly: isTypeOnly(clause), clause: clause.trim() });
  }
  for (const [, specifier = ""] of code.matchAll(DYNAMIC)) found.push({ specifier, isTypeOnly: false, clause: "" });
  return found;
}

function isTypeOnly(clause: string): boolean {
  if (/^\s*type\b/.test(clause)) return true;
  const names = /^\s*\{([\s\S]*)\}\s*$/
    .exec(clause)?.[1]
    ?.split(",")
    .filter((name) => name.trim() !== "");
  return names !== undefined && names.length > 0 && names.every((name) => /^\s*type\b/.test(name));
}
