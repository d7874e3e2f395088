import type { Bug } from "./bug.ts";

/**
 * The source of `file` with the bug's edits.
 *
 * @throws Error when a text to be replaced is not there exactly once: the code has moved, and the bug has to follow it.
 */
export function plant(bug: Bug, file: string, source: string): string {
  let planted = source;
  for (const edit of bug.edits) {
    if (edit.file !== file) continue;
    const places = source.split(edit.find).length - 1;
    if (places !== 1)
      throw new Error(
        `The planted bug ${bug.name} replaces a text that is ${places} times in ${file}, not once:\n${edit.find}\nThe code has changed: give the bug in tests/planted/bugs/ the text as it is now.`,
      );
    planted = planted.replace(edit.find, () => edit.put);
  }
  return planted;
}
