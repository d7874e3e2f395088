import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import type { Goal } from "./goals.ts";
import { type Ledger, overlapIn, type Piece } from "./ledger.ts";
import { withSums } from "./page.ts";
import { judge } from "./piece.ts";
import { nextSeed, standingOf } from "./sums.ts";

const GOAL: Goal = {
  name: "sim",
  unit: "steps",
  target: 1000,
  reached: (sums) => sums["steps"] ?? 0,
  firstSeed: 1001,
  seedsPerPiece: 10,
  command: () => [],
  minutesMax: 1,
};

const piece = (from: number, more: Partial<Piece> = {}): Piece => ({
  proof: "sim",
  from,
  to: from + 9,
  commit: "c2",
  base: "c1",
  date: "2026-01-01T00:00:00Z",
  seconds: 60,
  verdict: "passed",
  counts: { steps: 100, violations: 0 },
  ...more,
});
const ledger = (...pieces: Piece[]): Ledger => ({ countsFrom: { sim: { commit: "c1", why: "the beginning" } }, pieces });

test("pieces are added up, and what is missing follows", () => {
  expect(standingOf(GOAL, ledger(piece(1001), piece(1011)))).toMatchObject({ reached: 200, missing: 800, pieces: 2, seconds: 120 });
});

test("pieces that found something, of other proofs and of earlier code do not count", () => {
  const others = [
    piece(1011, { verdict: "violated" }),
    piece(1021, { verdict: "failed" }),
    piece(1031, { base: "c0" }),
    piece(1, { proof: "crash" }),
  ];
  expect(standingOf(GOAL, ledger(piece(1001), ...others))).toMatchObject({ reached: 100, pieces: 1 });
});

test("a finding is open until it is mended or explained, also when it is of earlier code", () => {
  const found = { verdict: "violated", base: "c0" } as const;
  const { open, found: all } = standingOf(
    GOAL,
    ledger(
      piece(1001, found),
      piece(1011, { ...found, mendedBy: "c3" }),
      piece(1021, { ...found, explanation: "the disk of the machine broke" }),
    ),
  );
  expect(open.map(({ from }) => from)).toEqual([1001]);
  expect(all).toHaveLength(3);
});

test("of pieces that are to pass in a row, those before a failure that nobody has explained do not count", () => {
  const inARow: Goal = { ...GOAL, isInARow: true };
  const failed = piece(1011, { verdict: "failed" });
  expect(standingOf(inARow, ledger(piece(1001), failed, piece(1021), piece(1031)))).toMatchObject({ reached: 200, pieces: 2 });
  const explained = { ...failed, explanation: "the machine had no network" };
  expect(standingOf(inARow, ledger(piece(1001), explained, piece(1021)))).toMatchObject({ reached: 200, pieces: 2 });
});

test("seeds go on after every piece there is, whatever became of it, in any order", () => {
  expect(nextSeed(GOAL, ledger())).toBe(1001);
  expect(nextSeed(GOAL, ledger(piece(1021, { verdict: "failed", base: "c0" }), piece(1001)))).toBe(1031);
});

test("two pieces of one proof that share a seed are noticed", () => {
  expect(overlapIn([piece(1011), piece(1001), piece(1020)])).toEqual({ proof: "sim", seed: 1020 });
  expect(overlapIn([piece(1011), piece(1001), piece(1021), piece(1001, { proof: "crash" })])).toBeUndefined();
});

const ended = (code: number, signal?: NodeJS.Signals, why = `exit code ${code}`) => ({ code, signal, why, cpuMs: 0 });

test.each([
  ["ended well", ended(0), { steps: 5, violations: 0 }, "", { kind: "counted", verdict: "passed" }],
  ["found something", ended(1), { steps: 5, violations: 2 }, "REPRODUCE: seed 4\n", { verdict: "violated" }],
  ["found something and says nothing by its code", ended(0), { violations: 1 }, "", { verdict: "violated" }],
  ["did not catch a control", ended(1), { steps: 5, violations: 0 }, "control a: NOT caught\n", { verdict: "failed" }],
  ["broke before it counted", ended(1), undefined, "TypeError\n", { kind: "counted", verdict: "failed", counts: {} }],
  ["crashed", ended(1, "SIGSEGV"), undefined, "", { verdict: "failed" }],
  ["hangs", ended(143, undefined, "took longer than 5 minutes"), undefined, "", { verdict: "failed" }],
  ["was killed", ended(1, "SIGKILL"), { steps: 5, violations: 0 }, "", { kind: "cut-off" }],
  ["was killed behind its starter", ended(137), undefined, "", { kind: "cut-off" }],
  [
    "could not be carried out here",
    ended(0),
    undefined,
    "skipped: no root\n0 passed\n",
    { kind: "skipped", why: "skipped: no root 0 passed" },
  ],
] as const)("a piece that %s", (_, end, counts, log, expected) => {
  expect(judge(GOAL, end, counts, log)).toMatchObject(expected);
});

test("a finding does not tell where the tree lay", () => {
  const place = new URL("../../tests/crash/main.ts:30:15", import.meta.url);
  const log = `Error: lost\n    at life (${place.href})\nsee ${fileURLToPath(place)}\n`;
  expect(judge(GOAL, ended(1), undefined, log)).toMatchObject({
    finding: "sim: exit code 1\nError: lost\n    at life (tests/crash/main.ts:30:15)\nsee tests/crash/main.ts:30:15",
  });
});

test("a finding of a whole check names what failed in the layer, and why", () => {
  const log =
    "ok   unit  1 passed\nFAIL integration  9 passed, 1 failed\n\n--- integration: 1 failed (log: l)\n  unhandled error\n    no answer\n\nTotal time 1 s.";
  expect(judge(GOAL, ended(1), { violations: 1 }, log)).toMatchObject({
    finding: "sim: exit code 1\nFAIL integration  9 passed, 1 failed\n--- integration: 1 failed (log: l)\n  unhandled error\n    no answer",
  });
});

test("a finding tells what failed and how to repeat it", () => {
  const log = "seeds 1 to 3\nFAILED seed 2: bound\nrun 5 ended twice\nREPRODUCE: npm run test:sim -- --seed 2\n2 passed, 1 failed\n";
  expect(judge(GOAL, ended(1), { violations: 1 }, log)).toMatchObject({
    finding: "sim: exit code 1\nFAILED seed 2: bound\nrun 5 ended twice\nREPRODUCE: npm run test:sim -- --seed 2",
  });
});

test("the page's block is renewed and the rest of the page stays", () => {
  const page =
    "# Proof\n\n<!-- sums: from docs/proof.json by `npm run generate`; change nothing between here -->\nold\n<!-- and here -->\n\nThe end.\n";
  const shown = withSums(
    page,
    ledger(
      piece(1001, { counts: { steps: 1234567, statesCompared: 7, slowestMs: 9 } }),
      piece(1011, { verdict: "violated", finding: "a | b" }),
    ),
  );
  expect(shown).toContain("| `sim` | 1,234,567 steps | 50,000,000 | 1 | 0.0 |");
  expect(shown).toContain("- `sim`: steps 1,234,567, states compared 7.");
  expect(shown).toContain("| `sim`, seeds 1011 to 1020 | a \\| b | **open** |");
  expect(shown).not.toContain("old");
  expect(shown).toMatch(/^# Proof\n[^]*The end\.\n$/);
  expect(withSums(shown, ledger())).not.toContain("1,234,567");
  expect(() => withSums("# Proof\n", ledger())).toThrow("docs/proof.md has lost the lines");
});
