import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, watch, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Goal } from "./goals.ts";
import { readLedger, writeLedger } from "./ledger.ts";
import { withLock } from "./lock.ts";
import type { PieceResult } from "./piece.ts";
import { type ProofLimits, prove } from "./run.ts";
import { standingOf } from "./sums.ts";

let folder = "";
let ledgerFile = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tutti-proof-test-"));
  ledgerFile = join(folder, "proof.json");
  writeLedger(ledgerFile, { countsFrom: { crash: { commit: "c1", why: "the beginning" } }, pieces: [] });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const GOAL: Goal = {
  name: "crash",
  unit: "kills",
  target: 300,
  reached: (sums) => sums["kills"] ?? 0,
  firstSeed: 1001,
  seedsPerPiece: 1,
  command: () => [],
  minutesMax: 1,
};
const PASSED: PieceResult = { kind: "counted", verdict: "passed", counts: { kills: 100, violations: 0 }, finding: undefined };

interface Play {
  readonly limits?: Partial<ProofLimits>;
  readonly results?: readonly PieceResult[];
  readonly commit?: () => string;
  /** How long each piece takes. */
  readonly minutes?: number;
}

async function play({ limits = {}, results = [], commit = () => "c2", minutes = 1 }: Play) {
  let nowMs = Date.parse("2026-01-01T00:00:00Z");
  const seeds: number[] = [];
  const lines: string[] = [];
  const findings = await prove(
    [GOAL],
    { minutes: undefined, pieces: undefined, ...limits },
    {
      ledgerFile,
      commit,
      carryOut: (_, seed) => {
        nowMs += minutes * 60_000;
        return Promise.resolve(results[seeds.push(seed) - 1] ?? PASSED);
      },
      now: () => new Date(nowMs),
      print: (line) => void lines.push(line),
      written: () => undefined,
      signal: new AbortController().signal,
    },
  );
  return { findings, seeds, lines, standing: standingOf(GOAL, readLedger(ledgerFile)) };
}

test("pieces follow one another until the goal is reached, and a reached goal takes none", async () => {
  expect(await play({})).toMatchObject({ seeds: [1001, 1002, 1003], standing: { reached: 300, missing: 0 } });
  expect(await play({})).toMatchObject({ seeds: [] });
  expect(await play({ limits: { pieces: 2 } })).toMatchObject({ seeds: [1004, 1005], standing: { reached: 500 } });
});

test("no piece begins that would end after the time given", async () => {
  expect(await play({ limits: { minutes: 5 }, minutes: 2 })).toMatchObject({ seeds: [1001, 1002] });
});

test("a piece that is cut off counts nothing, and its seed is used again", async () => {
  const cut = { kind: "cut-off", why: "interrupted" } as const;
  expect(await play({ limits: { pieces: 2 }, results: [PASSED, cut] })).toMatchObject({ seeds: [1001, 1002], standing: { reached: 100 } });
  expect(await play({ limits: { pieces: 1 } })).toMatchObject({ seeds: [1002], standing: { reached: 200, pieces: 2 } });
});

test("a finding stays, others go on; after two in a row somebody has to look", async () => {
  const bad = { kind: "counted", verdict: "violated", counts: { kills: 100, violations: 1 }, finding: "lost" } as const;
  const first = await play({ limits: { pieces: 9 }, results: [bad, PASSED, bad, bad] });
  expect(first).toMatchObject({ seeds: [1001, 1002, 1003, 1004], findings: 3, standing: { reached: 100, pieces: 1 } });
  expect(first.standing.open).toHaveLength(3);
  expect(first.lines.join("\n")).toContain("goes on when somebody has looked");
  expect((await play({ limits: { pieces: 1 } })).standing.open).toHaveLength(3);
});

test("a piece during which the commit changed is not written down", async () => {
  let asked = 0;
  await expect(play({ commit: () => `c${(asked += 1)}` })).rejects.toThrow("The commit changed while a piece of crash ran");
  expect(readLedger(ledgerFile).pieces).toEqual([]);
});

test("a file with pieces that share a seed is refused, and so is one of another shape", () => {
  const ledger = readLedger(ledgerFile);
  const piece = { proof: "crash", from: 7, to: 7, commit: "c", base: "b", date: "d", seconds: 1, verdict: "passed", counts: {} } as const;
  writeLedger(ledgerFile, { ...ledger, pieces: [piece, piece] });
  expect(() => readLedger(ledgerFile)).toThrow("two pieces of crash have the seed 7");
  writeFileSync(ledgerFile, `{"countsFrom":{},"pieces":[{"proof":"crash"}]}`);
  expect(() => readLedger(ledgerFile)).toThrow("pieces.0.from");
});

/** A process that proves with a program which counts at once and ends only when the file `go` is there. */
function startProver(): ReturnType<typeof spawn> {
  const here = import.meta.dirname;
  const program = join(folder, "program.mjs");
  // By a rename, so that nobody finds the file before the number is in it.
  writeFileSync(
    program,
    `import { appendFileSync, existsSync, renameSync, writeFileSync } from "node:fs";
     appendFileSync(process.env.TUTTI_COUNTS, JSON.stringify({ proof: "crash", seed: 1, kills: 100, violations: 0 }) + "\\n");
     const counted = ${JSON.stringify(join(folder, "counted"))};
     writeFileSync(counted + ".new", String(process.pid));
     renameSync(counted + ".new", counted);
     const timer = setInterval(() => existsSync(${JSON.stringify(join(folder, "go"))}) && clearInterval(timer), 5);\n`,
  );
  // In the place of the project: its starter runs the program.
  const root = join(folder, "root");
  const prover = join(folder, "prover.mjs");
  writeFileSync(
    prover,
    `import { mkdirSync, writeFileSync } from "node:fs";
     import { prove } from ${JSON.stringify(join(here, "run.ts"))};
     import { carryOut } from ${JSON.stringify(join(here, "piece.ts"))};
     mkdirSync(${JSON.stringify(join(root, "scripts"))}, { recursive: true });
     writeFileSync(${JSON.stringify(join(root, "scripts/run.mjs"))}, 'import(process.argv[2])');
     const goal = { name: "crash", unit: "kills", target: 100, reached: (sums) => sums.kills ?? 0, firstSeed: 1001, seedsPerPiece: 1, command: () => [${JSON.stringify(program)}], minutesMax: 1 };
     const signal = new AbortController().signal;
     await prove([goal], { minutes: undefined, pieces: undefined }, {
       ledgerFile: ${JSON.stringify(ledgerFile)}, commit: () => "c2", now: () => new Date(), print: () => undefined, written: () => undefined, signal,
       carryOut: (one, seed) => carryOut(one, seed, { root: ${JSON.stringify(root)}, logFile: ${JSON.stringify(join(folder, "log"))}, signal }),
     });\n`,
  );
  return spawn(process.execPath, ["--disable-warning=ExperimentalWarning", prover], { stdio: ["ignore", "ignore", "inherit"] });
}

async function appeared(file: string): Promise<void> {
  const watcher = watch(folder);
  try {
    while (!existsSync(file)) await once(watcher, "change");
  } finally {
    watcher.close();
  }
}

test("killed in the middle of a piece that has counted already: nothing is counted, then the piece is counted once", async () => {
  const killed = startProver();
  await appeared(join(folder, "counted"));
  killed.kill("SIGKILL");
  await once(killed, "exit");
  const left = Number(readFileSync(join(folder, "counted"), "utf8"));
  expect(left).toBeGreaterThan(0);
  expect(readLedger(ledgerFile).pieces).toEqual([]);
  rmSync(join(folder, "counted"));
  const second = startProver();
  await appeared(join(folder, "counted"));
  // The program of the first one ends now, too, and nobody hears it.
  writeFileSync(join(folder, "go"), "");
  await once(second, "exit");
  await gone(left);
  const ledger = readLedger(ledgerFile);
  expect(ledger.pieces).toMatchObject([{ from: 1001, to: 1001, verdict: "passed", counts: { kills: 100 } }]);
  expect(standingOf(GOAL, ledger)).toMatchObject({ reached: 100 });
});

async function gone(pid: number): Promise<void> {
  for (;;) {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test("of two at once the second is refused, and the lock is free afterwards", async () => {
  const file = join(folder, "lock.db");
  await withLock(file, async () => {
    await expect(withLock(file, () => Promise.resolve())).rejects.toThrow("Another `npm run proof` is at work here");
  });
  await expect(withLock(file, () => Promise.resolve("free"))).resolves.toBe("free");
});
