import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Bug } from "./bug.ts";
import { ALL_BUGS, BUGS } from "./bugs.ts";
import { filesOf, ROOT } from "./carried.ts";
import { plant } from "./plant.ts";
import { REPORT_FILE } from "./report.ts";

describe("planted bugs", () => {
  test("have names of their own", () => {
    expect(new Set(ALL_BUGS.map(({ name }) => name)).size).toBe(ALL_BUGS.length);
  });

  for (const bug of ALL_BUGS) {
    test(`${bug.name} finds the text that it changes`, () => {
      for (const file of filesOf(bug)) {
        const source = readFileSync(join(ROOT, file), "utf8");
        expect(plant(bug, file, source)).not.toBe(source);
      }
    });
  }

  test("are all in the report, and caught", () => {
    const report = readFileSync(join(ROOT, REPORT_FILE), "utf8");
    const rows = [...report.matchAll(/^\| ([a-z0-9-]+) \|/gm)].map((match) => match[1]);
    expect(rows.filter((name) => name !== "bug" && name !== "---")).toEqual(BUGS.map(({ name }) => name));
    expect(report).toContain(`${BUGS.length} bugs, ${BUGS.length} caught.`);
  });
});

describe("planting", () => {
  const bug: Bug = {
    name: "b",
    breaks: "",
    known: "",
    edits: [
      { file: "x.ts", find: "one", put: "$&" },
      { file: "x.ts", find: "two", put: "2" },
    ],
    catcher: { by: "simulation", seedsMax: 1 },
  };

  test("changes each text, as it is given", () => {
    expect(plant(bug, "x.ts", "one, two, three")).toBe("$&, 2, three");
  });

  test("leaves other files alone", () => {
    expect(plant(bug, "y.ts", "one")).toBe("one");
  });

  test.each([
    ["is not there", "two", "0 times"],
    ["is there twice", "one one two", "2 times"],
  ])("refuses a text that %s", (_, source, times) => {
    expect(() => plant(bug, "x.ts", source)).toThrow(times);
  });
});
