// Fuzzing: whatever others wrote, our readers answer with what is documented, in bounded time and memory.
//
//   npm run test:fuzz -- --inputs 100000              so many inputs of each target, then its control
//   npm run test:fuzz -- --target cron --seed 7       one target (or several: cron,duration), another seed
//   npm run test:fuzz -- --from 100000                the inputs after the first 100,000
//   npm run test:fuzz -- --target cron --seed 7 --only 123      one input, made smaller, with what is wrong about it
//   ... --threads N     2 without it
//
// A violation prints the command that repeats it. See `target.ts` for what a target is, `targets.ts` for the list.
import { parseArgs } from "node:util";
import { writeCounts } from "../../scripts/check/counts.ts";
import { type Report, writeReport } from "../../scripts/check/report.ts";
import { inputOf, judge } from "./judge.ts";
import { carryOut } from "./pool.ts";
import { shrink } from "./shrink.ts";
import type { OpenTarget, Target, Verdict } from "./target.ts";
import { TARGETS, targetNamed } from "./targets.ts";
import type { Found, Piece } from "./worker.ts";

const INPUTS_DEFAULT = 100_000;
const SEED_DEFAULT = 1;
/** Inputs in which a control has to be caught: one that shows itself less often than this would let a real fault pass too. */
const CONTROL_INPUTS_MAX = 5_000;
/** Enough pieces that both threads end at about the same time. */
const PIECE = 2_000;
/** Kinds of violations shown per target, made smaller; more would say the same. */
const SHOWN_MAX = 5;

const { values } = parseArgs({
  options: {
    inputs: { type: "string", default: String(INPUTS_DEFAULT) },
    from: { type: "string", default: "0" },
    seed: { type: "string", default: String(SEED_DEFAULT) },
    target: { type: "string" },
    only: { type: "string" },
    threads: { type: "string", default: "2" },
  },
});

const seed = Number(values.seed);
const targets = values.target === undefined ? TARGETS : values.target.split(",").map(targetNamed);
process.exitCode = values.only === undefined ? await many() : await one(Number(values.only));

/** What became of a target's inputs. */
interface Tally {
  readonly target: Target;
  judged: number;
  cpuMs: number;
  readonly found: Found[];
  controlAt: number | undefined;
}

async function many(): Promise<number> {
  const startedAt = performance.now();
  const tallies = new Map<string, Tally>(
    targets.map((target) => [target.name, { target, judged: 0, cpuMs: 0, found: [], controlAt: undefined }]),
  );
  const controls: Piece[] = targets.map(({ name }) => ({ target: name, seed, from: 0, to: CONTROL_INPUTS_MAX, isSabotaged: true }));
  await carryOut([...pieces(), ...controls], Number(values.threads), (piece, answer) => {
    const tally = tallies.get(piece.target);
    if (tally === undefined) return;
    if (piece.isSabotaged) {
      tally.controlAt = answer.found[0]?.index ?? tally.controlAt;
      return;
    }
    tally.judged += answer.judged;
    tally.cpuMs += answer.cpuMs;
    tally.found.push(...answer.found);
  });
  const failures: { name: string; message: string }[] = [];
  for (const tally of tallies.values()) failures.push(...(await report(tally)));
  const all = [...tallies.values()];
  const caught = all.filter(({ controlAt }) => controlAt !== undefined).length;
  const intact = all.filter(({ found }) => found.length === 0).length;
  const violations = all.reduce((sum, { found }) => sum + found.length, 0);
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  process.stdout.write(`seed ${seed}: ${sum(all)} inputs of ${all.length} targets in ${seconds} s, ${violations} violations\n`);
  for (const { name, message } of failures) process.stdout.write(`FAILED ${name}\n${message}\n`);
  writeCounts({
    proof: "fuzz",
    seed,
    violations,
    inputs: sum(all),
    targets: all.length,
    controlsCaught: caught,
    // What gets a part of the inputs only is no measure of how much every target had.
    ...Object.fromEntries(all.map(({ target, judged }) => [`${target.share === undefined ? "inputs" : "part"}-${target.name}`, judged])),
  });
  const result: Report = { passed: intact + caught, failures, skips: [] };
  writeReport(result);
  process.stdout.write(`${result.passed} passed, ${failures.length} failed, 0 skipped\n`);
  return failures.length === 0 ? 0 : 1;
}

function pieces(): Piece[] {
  const list = targets.flatMap(({ name, share = 1 }) => {
    const from = Math.ceil(Number(values.from) * share);
    const end = from + Math.ceil(Number(values.inputs) * share);
    const starts = Array.from({ length: Math.ceil((end - from) / PIECE) }, (_, index) => from + index * PIECE);
    return starts.map((start): Piece => ({ target: name, seed, from: start, to: Math.min(start + PIECE, end), isSabotaged: false }));
  });
  // Targets in turn, so that both threads get some of each.
  return list.toSorted((left, right) => left.from - right.from);
}

function sum(tallies: readonly Tally[]): number {
  return tallies.reduce((total, { judged }) => total + judged, 0);
}

/** One line a target; what is wrong with it. */
async function report({ target, judged, cpuMs, found, controlAt }: Tally): Promise<{ name: string; message: string }[]> {
  const failures: { name: string; message: string }[] = [];
  const control = controlAt === undefined ? "control NOT caught" : `control caught at input ${controlAt}`;
  const each = judged === 0 ? 0 : Math.round((cpuMs * 1000) / judged);
  process.stdout.write(`${target.name}: ${target.law}\n`);
  process.stdout.write(`  ${judged} inputs, ${each} µs on the processor each, ${found.length} violations; ${control}\n`);
  if (controlAt === undefined)
    failures.push({ name: `control of ${target.name}`, message: `not caught in ${CONTROL_INPUTS_MAX} inputs: ${target.control}` });
  const byLaw = Map.groupBy(found, ({ violation }) => `${violation.law}: ${violation.message.split("\n").slice(0, 2).join(" ")}`);
  for (const [, [first]] of [...byLaw].slice(0, SHOWN_MAX)) {
    if (first === undefined) continue;
    const message = [first.violation.message, await smallest(target, first), `REPRODUCE: ${commandOf(target, first.index)}`].join("\n");
    failures.push({ name: `${target.name}: ${first.violation.law}`, message });
  }
  return failures;
}

function commandOf(target: Target, index: number): string {
  return `npm run test:fuzz -- --target ${target.name} --seed ${seed} --only ${index}`;
}

/** The smallest input that breaks the same law. What ends or holds up a thread is not tried again in this one. */
async function smallest(target: Target, { index, violation }: Found): Promise<string> {
  if (violation.law === "hangs" || violation.law === "ends the thread") return `input: ${JSON.stringify(inputOf(target, seed, index))}`;
  const open = await target.open(false);
  try {
    const { input, tries } = await shrink(
      inputOf(target, seed, index),
      async (smaller) => (await verdictOf(open, smaller))?.law === violation.law,
    );
    const verdict = await verdictOf(open, input);
    return `smallest input after ${tries} tries: ${JSON.stringify(input)}\n${verdict?.message ?? "(not seen again)"}`;
  } finally {
    await open.close?.();
  }
}

async function one(index: number): Promise<number> {
  let isBroken = false;
  for (const target of targets) {
    const input = inputOf(target, seed, index);
    process.stdout.write(`${target.name}, seed ${seed}, input ${index}: ${JSON.stringify(input)}\n`);
    const open = await target.open(false);
    const verdict = await verdictOf(open, input);
    await open.close?.();
    process.stdout.write(`${verdict === undefined ? "no violation" : `${verdict.law}: ${verdict.message}`}\n`);
    if (verdict === undefined) continue;
    isBroken = true;
    process.stdout.write(`${await smallest(target, { index, violation: verdict })}\n`);
  }
  return isBroken ? 1 : 0;
}

async function verdictOf(open: OpenTarget, input: Parameters<OpenTarget["check"]>[0]): Promise<Verdict> {
  if (open.checkAll === undefined) return judge(open, input);
  return (await open.checkAll([input]))[0];
}
