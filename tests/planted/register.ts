// Loaded by `--import` into the processes of a planted bug, and by them into their threads and children: changes the source of the bug's files
// when they are loaded. Nothing is written anywhere.
import { registerHooks } from "node:module";
import { fileURLToPath } from "node:url";
import { carriedBug, plantedSource } from "./carried.ts";

const bug = carriedBug();
if (bug !== undefined)
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      const { source } = loaded;
      if (!url.startsWith("file:") || source === undefined) return loaded;
      const read = (): string => (typeof source === "string" ? source : new TextDecoder().decode(source));
      const planted = plantedSource(bug, fileURLToPath(url), read);
      return planted === undefined ? loaded : { ...loaded, source: planted };
    },
  });
