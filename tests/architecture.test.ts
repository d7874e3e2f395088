import { dirname, join } from "node:path/posix";
import { describe, expect, test } from "vitest";
import { BUILT_INS, FILE_LINES_MAX, LAYERS, PURE_LAYERS } from "./architecture/layers.ts";
import { type Package, readLooseFiles, readPackages, type SourceFile } from "./architecture/sources.ts";

const packages = readPackages();
const loose = readLooseFiles();
const allFiles = [...packages.flatMap((entry) => entry.files), ...loose];
const byName = new Map(packages.map((entry) => [entry.name, entry]));

/** Says of each file what `find` holds against it; the whole list is compared with none, so that one run shows everything. */
function violations(files: readonly SourceFile[], find: (file: SourceFile) => readonly string[]): readonly string[] {
  return files.flatMap((file) => find(file).map((what) => `${file.path}: ${what}`));
}

function layerKey(entry: Package): string {
  return entry.layer.startsWith("connectors/") ? "connectors/*" : entry.layer;
}

/** The package behind a specifier: `@tutti/store` of `@tutti/store/conformance`, `yaml`. */
function packageName(specifier: string): string {
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

describe("layers", () => {
  test("every package has its place in the table", () => {
    expect(packages.map(layerKey).filter((key) => !Object.hasOwn(LAYERS, key))).toEqual([]);
  });

  test("a package sees only the layers below it", () => {
    const found = packages.flatMap((entry) => {
      const allowed = LAYERS[layerKey(entry)] ?? [];
      return violations(
        entry.files.filter((file) => !file.isTest),
        (file) =>
          file.imports
            .map((imported) => byName.get(packageName(imported.specifier)))
            .filter((target) => target !== undefined)
            .filter((target) => target !== entry && !allowed.includes(layerKey(target)) && !allowed.includes(target.layer))
            .map((target) => `${entry.layer} must not see ${target.layer}`),
      );
    });
    expect(found).toEqual([]);
  });

  test("another package is imported by an entry it exports, never by a file inside", () => {
    const found = violations(allFiles, (file) =>
      file.imports
        .filter(({ specifier }) => specifier.startsWith("@tutti/") && !byName.get(packageName(specifier))?.entries.has(specifier))
        .map(({ specifier }) => `${specifier} is no entry of a package`),
    );
    const across = packages.flatMap((entry) =>
      violations(entry.files, (file) =>
        file.imports
          .filter(({ specifier }) => specifier.startsWith("."))
          .filter(({ specifier }) => !join(dirname(file.path), specifier).startsWith(folderOf(entry)))
          .map(({ specifier }) => `${specifier} leaves the package`),
      ),
    );
    expect([...found, ...across]).toEqual([]);
  });

  test("what a package imports is listed in its package.json, for tests among the development dependencies at least", () => {
    const found = packages.flatMap((entry) =>
      violations(entry.files, (file) =>
        file.imports
          .map(({ specifier }) => packageName(specifier))
          .filter((name) => !name.startsWith(".") && !name.startsWith("node:") && name !== entry.name)
          .filter((name) => !entry.dependencies.has(name) && !(file.isTest && (entry.devDependencies.has(name) || TEST_TOOLS.has(name))))
          .map((name) => `${name} is not listed`),
      ),
    );
    expect(found).toEqual([]);
  });
});

/** Installed once in the root for everybody; whole-system helpers come from `testkit`. */
const TEST_TOOLS = new Set(["vitest", "fast-check", "ajv", "ajv-formats", "@tutti/testkit"]);

function folderOf(entry: Package): string {
  return entry.layer.startsWith("apps/") ? `${entry.layer}/` : `packages/${entry.layer}/`;
}

describe("the pure core and the runtime", () => {
  test("take from Node only what the table names", () => {
    const found = packages
      .filter((entry) => Object.hasOwn(BUILT_INS, entry.layer))
      .flatMap((entry) =>
        violations(
          entry.files.filter((file) => !file.isTest),
          (file) =>
            file.imports
              .filter(({ specifier }) => specifier.startsWith("node:"))
              .filter(({ specifier, clause }) => !isAllowedBuiltIn(entry.layer, specifier, clause))
              .map(({ specifier, clause }) => `${clause} from ${specifier}`),
        ),
      );
    expect(found).toEqual([]);
  });

  test("never ask for the present time by a bare Date", () => {
    const layers = new Set([...PURE_LAYERS, "runtime"]);
    const files = packages.filter((entry) => layers.has(entry.layer)).flatMap((entry) => entry.files.filter((file) => !file.isTest));
    expect(violations(files, (file) => file.text.match(/\bnew Date\(\)|[^.\w]Date\(\)/g) ?? [])).toEqual([]);
  });
});

function isAllowedBuiltIn(layer: string, specifier: string, clause: string): boolean {
  const allowed = BUILT_INS[layer]?.[specifier];
  const names = clause.replace(/[{}]/g, "").split(",");
  return allowed !== undefined && names.every((name) => name.trim() === "" || allowed.includes(name.trim()));
}

describe("files", () => {
  test("relative imports name the file with its ending", () => {
    const found = violations(allFiles, (file) =>
      file.imports
        .map(({ specifier }) => specifier)
        .filter((specifier) => specifier.startsWith(".") && !/\.(ts|mjs|json)$/.test(specifier)),
    );
    expect(found).toEqual([]);
  });

  test("an index only re-exports, by name", () => {
    const found = violations(
      allFiles.filter((file) => file.path.endsWith("/index.ts")),
      (file) => {
        const code = file.text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "");
        const rest = code.replace(/export (?:type )?\{[^}]*\}(?: from "[^"]+")?;/g, "").trim();
        return rest === "" ? [] : [rest.split("\n")[0] ?? ""];
      },
    );
    expect(found).toEqual([]);
  });

  test(`a file over ${FILE_LINES_MAX} lines says in its head why`, () => {
    const found = violations(allFiles, (file) => {
      const lines = file.text.split("\n");
      const head = lines.slice(0, 12).join("\n");
      return lines.length > FILE_LINES_MAX && !/(?:\/\/|\*).*\b(?:over 500 lines|long because)\b/i.test(head)
        ? [`${lines.length} lines`]
        : [];
    });
    expect(found).toEqual([]);
  });

  test("file names are kebab-case and name a concept", () => {
    const found = violations(allFiles, (file) => {
      const name = file.path.split("/").at(-1) ?? "";
      const isKebab = /^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+)*\.ts$/.test(name);
      return isKebab && !/^(utils?|misc|common|helpers?|manager)\b/.test(name) ? [] : [name];
    });
    expect(found).toEqual([]);
  });

  test("no imports go round in a circle", () => {
    expect(cycles(allFiles)).toEqual([]);
  });
});

/** Circles of files through imports that exist at run time; a circle of types alone costs nothing. */
function cycles(files: readonly SourceFile[]): readonly string[] {
  const targets = new Map(
    files.map((file) => [
      file.path,
      file.imports
        .filter((imported) => !imported.isTypeOnly && imported.specifier.startsWith("."))
        .map(({ specifier }) => join(dirname(file.path), specifier)),
    ]),
  );
  const found: string[] = [];
  const finished = new Set<string>();
  const visit = (path: string, way: readonly string[]): void => {
    if (way.includes(path)) found.push([...way.slice(way.indexOf(path)), path].join(" → "));
    if (way.includes(path) || finished.has(path)) return;
    for (const target of targets.get(path) ?? []) visit(target, [...way, path]);
    finished.add(path);
  };
  for (const path of targets.keys()) visit(path, []);
  return found;
}
