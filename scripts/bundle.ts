// Bundles our programs, see programs.mjs. `scripts/bundle.ts NAME...`; does nothing for one that is there already.
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";
import { BUNDLES, CACHE, freshBundle, INGREDIENTS, stateOf } from "./programs.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
/** Folders that stay: a process loads parts of its bundle when it first needs them, long after the next one was made. */
const FOLDERS_KEPT = 5;
/** What comes from packages changes with the list of the installed ones. */
const OURS = /^(apps|packages|tests|scripts|examples|lab)\//;

for (const name of process.argv.slice(2)) {
  const sources = Object.entries(BUNDLES).find(([bundle]) => bundle === name)?.[1];
  if (sources === undefined) throw new Error(`There is no bundle ${name}: ${Object.keys(BUNDLES).join(", ")}.`);
  if (freshBundle(name) === undefined) await bundle(name, sources);
}

async function bundle(name: string, entries: readonly string[]): Promise<void> {
  const folder = `${name}-${Date.now()}-${process.pid}`;
  /** What went in, as it was just before it was read: a clock that was set back since the files were written must not matter. */
  const states = new Map<string, string>(INGREDIENTS.map((file) => [file, stateOf(file)]));
  const build = await rolldown({
    input: Object.fromEntries(entries.map((source) => [entryOf(source), join(root, source)])),
    platform: "node",
    // Packages try optional native helpers that we do not install, and do without. ssh2 looks for its own beside its files, so it stays where it is.
    external: [/^node:/, "ssh2"],
    logLevel: "silent",
    // All that is read: a file that only hands on what others have leaves nothing of its own in the output.
    plugins: [
      {
        name: "sources",
        load: (id) => {
          const file = relative(root, id);
          if (OURS.test(file) && !file.includes("node_modules/")) states.set(file, stateOf(file));
        },
      },
    ],
  });
  await build.write({
    dir: join(CACHE, folder),
    format: "esm",
    entryFileNames: "[name].js",
    chunkFileNames: "[name]-[hash].js",
  });
  await build.close();
  writeFileSync(join(CACHE, folder, "package.json"), `{"type":"module"}\n`);
  const sources = [...states].toSorted(([left], [right]) => (left < right ? -1 : 1));
  // Changed while it was read: nobody knows what went in.
  if (sources.some(([file, state]) => stateOf(file) !== state)) return;
  const description = {
    folder,
    entries: entries.map((source) => [source, `${entryOf(source)}.js`]),
    sources,
  };
  const draft = join(CACHE, `${folder}.json`);
  writeFileSync(draft, JSON.stringify(description));
  renameSync(draft, join(CACHE, `${name}.json`));
  removeOld(name);
}

/** `store-worker` and `starter-process` must be called as their sources are: they are started by their names beside the file that starts them. */
function entryOf(source: string): string {
  return source.startsWith("tests/") ? source.replaceAll(/^tests\/|\.ts$/g, "").replaceAll("/", "-") : basename(source, ".ts");
}

function removeOld(name: string): void {
  mkdirSync(CACHE, { recursive: true });
  const folders = readdirSync(CACHE).filter((file) => new RegExp(`^${name}-\\d+-\\d+$`).test(file));
  const old = folders.toSorted((a, b) => Number(b.split("-")[1]) - Number(a.split("-")[1])).slice(FOLDERS_KEPT);
  for (const folder of old) rmSync(join(CACHE, folder), { recursive: true, force: true });
}
