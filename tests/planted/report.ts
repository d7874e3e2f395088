import type { Hunt } from "./catch.ts";

export const REPORT_FILE = "docs/planted-bugs.md";

/** The page that tells of each bug what caught it, and how soon. */
export function describeHunts(hunts: readonly Hunt[]): string {
  const missed = hunts.filter(({ caught }) => caught === undefined).length;
  const rows = hunts.map(({ bug, caught, seconds }) => {
    const cells = [
      bug.name,
      `${bug.breaks} *${bug.known}*`,
      bug.edits[0]?.file ?? "",
      caught?.by ?? "**nothing**",
      caught?.after ?? "",
      seconds.toFixed(1),
    ];
    return `| ${cells.map(escaped).join(" | ")} |`;
  });
  return [
    "# Planted bugs",
    "",
    "<!-- Written by `npm run test:planted -- --report`; do not edit. -->",
    "",
    "Tests are worth what they would notice. So known bugs, of other engines and of our own past, are put back into our source one at a time, and the",
    "test named here has to notice: the simulation as CI runs it, from seed 1 on; cases of our own suite; the loop of kills; tests of a unit.",
    "A change is made to the text of a file when a process loads it, and the text must be there exactly once: code that moves takes its bug along,",
    "or the check fails. No program of ours has a switch for it. Each catcher is run once more with a change that breaks nothing, and must be silent.",
    "",
    `${hunts.length} bugs, ${hunts.length - missed} caught. Seconds are those of one run on two cores, with the start of the test's process for tests, suite and kills;`,
    "an upper bound where the machine had other work. `npm run test:planted` repeats all of it, `-- --bug NAME` one with its change of text.",
    "",
    "Syncs that are left out, weaker or lie are not here: the controls of `npm run test:power` commit with `synchronous` at NORMAL and OFF, and must",
    "lose. Stores, worlds and clocks that are broken from outside are the controls of `npm run test:sim`.",
    "",
    "| bug | what it breaks, *and whose it was* | file | caught by | after | seconds |",
    "| --- | --- | --- | --- | --- | ---: |",
    ...rows,
    "",
  ].join("\n");
}

function escaped(text: string): string {
  return text.replaceAll("|", String.raw`\|`);
}
