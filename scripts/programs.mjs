// Where our programs start. Started from their sources, more than six hundred modules are found, read and linked one by one at every start;
// bundled into a few files a command takes about half the time. A bundle is a cache beside the compile cache: nobody has to make it, and it
// counts only as long as no file that went into it has changed. Runs by itself on any Node ≥ 20.
import { readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Programs that are bundled together, by their source files. What is started by a path relative to one of the others is an entry, too. */
export const BUNDLES = {
  tutti: ["apps/cli/src/main.ts", "packages/connectors/process/src/starter-process.ts", "packages/store-sqlite/src/store-worker.ts"],
  tests: [
    "packages/connectors/process/src/starter-process.ts",
    "packages/store-sqlite/src/store-worker.ts",
    "tests/crash/worker.ts",
    "tests/deploy-server/run-process.ts",
    "tests/disk/worker.ts",
  ],
};

/** Set to `off` where the sources themselves have to run: a change made while they are loaded would not be in a bundle. */
export const BUNDLE_VARIABLE = "TUTTI_BUNDLE";

export const CACHE = join(root, "node_modules/.cache/programs");

/** What else makes a bundle what it is. */
export const INGREDIENTS = ["package-lock.json", "scripts/bundle.ts", "scripts/programs.mjs", "node_modules/.package-lock.json"];

/**
 * The file to start for a program of ours: its bundle when there is one of just these sources, else the source file. Looks at some 500 files,
 * which takes 3 ms.
 *
 * @param source relative to the root
 * @param environment of the process that will run it
 * @returns an absolute path
 */
export function programFile(source, environment = process.env) {
  const name = Object.keys(BUNDLES).find((bundle) => BUNDLES[bundle].includes(source));
  const bundle = name === undefined || environment[BUNDLE_VARIABLE] === "off" ? undefined : freshBundle(name);
  return bundle?.[source] ?? join(root, source);
}

/** The files of a bundle by their sources; undefined when there is none, or when a source has changed since. */
export function freshBundle(name, cache = CACHE) {
  let description;
  try {
    description = JSON.parse(readFileSync(join(cache, `${name}.json`), "utf8"));
    for (const [file, state] of description.sources) if (stateOf(file) !== state) return undefined;
  } catch {
    return undefined; // None yet, or a source is gone.
  }
  return Object.fromEntries(description.entries.map(([source, file]) => [source, join(cache, description.folder, file)]));
}

/** Differs when the file was written again. @param file relative to the root */
export function stateOf(file) {
  const { mtimeMs, size } = statSync(join(root, file));
  return `${mtimeMs} ${size}`;
}
