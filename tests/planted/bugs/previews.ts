import type { Bug } from "../bug.ts";

/** What a change preview gets wrong. */
export const PREVIEW_BUGS: readonly Bug[] = [
  {
    name: "preview-reads-after-changes",
    breaks: "A preview believes what it reads now of what the run will have changed by then.",
    known: "hashicorp/terraform#33637: what was planned is not what is there when it is applied",
    edits: [
      {
        file: "packages/engine/src/preview/walk.ts",
        find: "const isUndisturbed = !this.#hasChanged && task !== undefined && !isBesideChanges(traveller, task);",
        put: "const isUndisturbed = task !== undefined;",
      },
    ],
    catcher: { by: "test", file: "packages/engine/src/preview/explore.test.ts", name: "reads before anything changes" },
  },
  {
    name: "preview-takes-the-unknown-for-true",
    breaks: "A preview goes the one way where a decision depends on what nobody knows: the other way's effects are not shown.",
    known: "hashicorp/terraform#27721: what was approved is not what happened",
    edits: [
      {
        file: "packages/engine/src/machine.ts",
        find: "const unknown = foresight === undefined || isPartlyKnown(value) ? undefined : unknownOf(value);",
        put: "const unknown = isPartlyKnown(value) ? unknownOf(value) : undefined;",
      },
    ],
    catcher: { by: "test", file: "packages/engine/src/preview/explore.property.test.ts", name: "was foreseen" },
  },
  {
    name: "preview-void-not-noticed",
    breaks: "The run of a preview is started though the world has moved since.",
    known: "hashicorp/terraform#23345, ansible/awx#12930",
    edits: [
      {
        file: "packages/runtime/src/preview/previews.ts",
        find: "if (!isIntact || differences.length > 0) {",
        put: "if (!isIntact) {",
      },
    ],
    catcher: { by: "test", file: "packages/runtime/src/preview/previews.test.ts", name: "is void when the world has moved" },
  },
];
