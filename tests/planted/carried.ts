import { appendFileSync } from "node:fs";
import { dirname, relative } from "node:path";
import { type Bug, BUG_VARIABLE, NOTE_VARIABLE } from "./bug.ts";
import { ALL_BUGS } from "./bugs.ts";
import { plant } from "./plant.ts";

/** The root of the project. */
export const ROOT = dirname(dirname(import.meta.dirname));

/** The bug that this process carries, if its environment names one. @throws Error when nobody knows it. */
export function carriedBug(): Bug | undefined {
  const name = process.env[BUG_VARIABLE];
  if (name === undefined || name === "") return undefined;
  const bug = ALL_BUGS.find((one) => one.name === name);
  if (bug === undefined) throw new Error(`${BUG_VARIABLE} names ${name}, which is no planted bug.`);
  return bug;
}

/** The source with the bug, or undefined when the bug leaves this file alone. Notes that it was asked for. */
export function plantedSource(bug: Bug, path: string, read: () => string): string | undefined {
  const file = relative(ROOT, path);
  if (!bug.edits.some((edit) => edit.file === file)) return undefined;
  const planted = plant(bug, file, read());
  const note = process.env[NOTE_VARIABLE];
  if (note !== undefined) appendFileSync(note, `${file}\n`);
  return planted;
}

/** The files of a bug, each once. */
export function filesOf(bug: Bug): readonly string[] {
  return [...new Set(bug.edits.map((edit) => edit.file))];
}
