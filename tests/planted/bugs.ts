import type { Bug } from "./bug.ts";
import { COMMIT_BUGS } from "./bugs/commits.ts";
import { EDGE_BUGS } from "./bugs/edges.ts";
import { EFFECT_BUGS } from "./bugs/effects.ts";
import { FLOW_BUGS } from "./bugs/flow.ts";
import { PREVIEW_BUGS } from "./bugs/previews.ts";
import { STORAGE_BUGS } from "./bugs/storage.ts";
import { WAIT_BUGS } from "./bugs/waits.ts";

/** All bugs that are to be caught. */
export const BUGS: readonly Bug[] = [
  ...EFFECT_BUGS,
  ...COMMIT_BUGS,
  ...WAIT_BUGS,
  ...FLOW_BUGS,
  ...STORAGE_BUGS,
  ...EDGE_BUGS,
  ...PREVIEW_BUGS,
];

/** The control: a change that breaks nothing goes the same ways, and nobody may notice it. */
export const HARMLESS: Bug = {
  name: "harmless",
  breaks: "Nothing.",
  known: "the control",
  edits: [
    {
      file: "packages/model/src/json.ts",
      find: "export function jsonEqual(",
      put: "/* a change that breaks nothing */ export function jsonEqual(",
    },
  ],
  catcher: { by: "simulation", seedsMax: 0 },
};

/** What a process may carry. */
export const ALL_BUGS: readonly Bug[] = [...BUGS, HARMLESS];
