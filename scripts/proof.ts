// Longer runs of the tests that try to break the engine, in pieces, added up in `docs/proof.json` and shown in `docs/proof.md`.
//
//   npm run proof                              how far each goal is
//   npm run proof -- sim crash --minutes 60    pieces of these in turn until their goals are reached or the hour is over
//   npm run proof -- all                       of all
//   ... --pieces N                             so many pieces of each, also beyond the goal
//
// Every piece has seeds that no piece had before. One that is cut off counts nothing; one that finds something stays written down with the
// command that repeats it: put `mendedBy` (a commit) or `explanation` beside it in `docs/proof.json`.
import { mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { GOALS } from "./proof/goals.ts";
import { type Ledger, readLedger, replaceFile } from "./proof/ledger.ts";
import { withLock } from "./proof/lock.ts";
import { withSums } from "./proof/page.ts";
import { carryOut } from "./proof/piece.ts";
import { prove } from "./proof/run.ts";
import { commitOf } from "./proof/source-state.ts";
import { describeStanding, standingOf } from "./proof/sums.ts";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const ledgerFile = join(root, "docs/proof.json");
const pageFile = join(root, "docs/proof.md");
/** Logs of the pieces, and the lock. */
const folder = join(root, "node_modules/.cache/proof");

process.exitCode = await main();

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: { minutes: { type: "string" }, pieces: { type: "string" } },
    allowPositionals: true,
  });
  const limits = { minutes: numberIn(values.minutes), pieces: numberIn(values.pieces) };
  const unknown = positionals.filter((name) => name !== "all" && !GOALS.some((goal) => goal.name === name));
  if (unknown.length > 0 || Object.values(limits).some((limit) => Number.isNaN(limit))) {
    const what = unknown.length > 0 ? `There is no proof ${unknown.join(", ")}.` : "--minutes and --pieces take a number above 0.";
    process.stderr.write(`${what} Proofs: all, ${GOALS.map((goal) => goal.name).join(", ")}.\n`);
    return 2;
  }
  const goals = positionals.includes("all") ? GOALS : GOALS.filter((goal) => positionals.includes(goal.name));
  let findings = 0;
  if (goals.length > 0) {
    mkdirSync(folder, { recursive: true });
    const interrupt = new AbortController();
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => interrupt.abort());
    findings = await withLock(join(folder, "lock.db"), () =>
      prove(goals, limits, {
        ledgerFile,
        commit: (base) => commitOf(root, base),
        carryOut: (goal, seed) => carryOut(goal, seed, { root, logFile: join(folder, `${goal.name}.log`), signal: interrupt.signal }),
        now: () => new Date(),
        print,
        written: renewPage,
        signal: interrupt.signal,
      }),
    );
    print("");
  }
  const ledger = readLedger(ledgerFile);
  const standings = GOALS.map((goal) => standingOf(goal, ledger));
  for (const standing of standings) print(describeStanding(standing));
  for (const { goal, open } of standings)
    for (const piece of open)
      print(`open: ${goal.name}, seeds ${piece.from} to ${piece.to}, ${piece.commit}: ${piece.finding ?? piece.verdict}`);
  return findings > 0 ? 1 : 0;
}

function renewPage(ledger: Ledger): void {
  replaceFile(pageFile, withSums(readFileSync(pageFile, "utf8"), ledger));
}

function numberIn(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  return number > 0 ? number : Number.NaN;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
