// Puts bugs that others, or we, have had back into our source, one at a time, and lets the tests loose that are to notice them.
//
//   npm run test:planted                     all of them, then the controls
//   npm run test:planted -- --bug NAME       one, with all that is known of it
//   npm run test:planted -- --list           their names, and what each breaks
//   ... --report     writes docs/planted-bugs.md     --lanes N   at the same time, 2 without it
//
// A bug is a change of the text of one of our files, made while a process loads it: see bug.ts and register.ts. Nothing is written to the tree,
// and no program of ours knows of it.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { writeCounts } from "../../scripts/check/counts.ts";
import { writeReport } from "../../scripts/check/report.ts";
import { BUGS } from "./bugs.ts";
import { ROOT } from "./carried.ts";
import { hunt, type Hunt } from "./catch.ts";
import { type ControlResult, controlsFor } from "./control.ts";
import { describeHunts, REPORT_FILE } from "./report.ts";

/** As many as CI has processors. */
const LANES_DEFAULT = "2";

const { values } = parseArgs({
  options: {
    bug: { type: "string" },
    list: { type: "boolean", default: false },
    report: { type: "boolean", default: false },
    lanes: { type: "string", default: LANES_DEFAULT },
  },
});

process.exitCode = values.list ? list() : values.bug === undefined ? await all() : await one(values.bug);

function list(): number {
  for (const { name, breaks } of BUGS) process.stdout.write(`${name.padEnd(42)} ${breaks}\n`);
  return 0;
}

async function one(name: string): Promise<number> {
  const bug = BUGS.find((candidate) => candidate.name === name);
  if (bug === undefined) {
    process.stderr.write(`There is no planted bug ${name}; --list names them.\n`);
    return 2;
  }
  process.stdout.write(`${bug.name}: ${bug.breaks}\nknown: ${bug.known}\n`);
  for (const { file, find, put } of bug.edits) process.stdout.write(`${file}\n- ${lined(find)}\n+ ${lined(put)}\n`);
  const result = await hunt(bug);
  print(result);
  return result.caught === undefined ? 1 : 0;
}

async function all(): Promise<number> {
  const startedMs = performance.now();
  const hunts = await inLanes(
    BUGS.map((bug) => () => hunt(bug)),
    print,
  );
  const controls = await inLanes(controlsFor(hunts), printControl);
  const missed = hunts.filter((result) => result.caught === undefined);
  const wrong = controls.filter((control) => control.wrong !== undefined);
  if (values.report) writeFileSync(join(ROOT, REPORT_FILE), describeHunts(hunts));
  process.stdout.write(
    `${BUGS.length} bugs, ${BUGS.length - missed.length} caught, ${((performance.now() - startedMs) / 1000).toFixed(1)} s\n`,
  );
  writeCounts({
    proof: "planted",
    seed: 1,
    bugs: BUGS.length,
    caught: BUGS.length - missed.length,
    violations: missed.length + wrong.length,
  });
  const failures = [
    ...missed.map(({ bug, why }) => ({
      name: bug.name,
      message: `not caught: ${why}\nREPRODUCE: npm run test:planted -- --bug ${bug.name}`,
    })),
    ...wrong.map((control) => ({ name: `control: ${control.name}`, message: control.wrong ?? "" })),
  ];
  const passed = hunts.length + controls.length - failures.length;
  writeReport({ passed, failures, skips: [] });
  for (const failure of failures) process.stdout.write(`FAILED ${failure.name}\n${failure.message}\n`);
  process.stdout.write(`${passed} passed, ${failures.length} failed, 0 skipped\n`);
  return failures.length === 0 ? 0 : 1;
}

function print({ bug, caught, seconds, why }: Hunt): void {
  const found = caught === undefined ? `NOT CAUGHT: ${why}` : `${caught.after}, ${caught.by}`;
  process.stdout.write(`${caught === undefined ? "FAIL" : "ok  "} ${bug.name.padEnd(42)} ${seconds.toFixed(1).padStart(6)} s  ${found}\n`);
}

function printControl({ name, wrong }: ControlResult): void {
  process.stdout.write(`${wrong === undefined ? "ok  " : "FAIL"} control: ${name}${wrong === undefined ? "" : `\n${wrong}`}\n`);
}

/** Does the work in its order, some at a time, and tells of each when it is done. @returns the results in the order of the work. */
async function inLanes<T>(work: readonly (() => Promise<T>)[], done: (result: T) => void): Promise<readonly T[]> {
  const results: T[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let index = next++; index < work.length; index = next++) {
      const result = await (work[index] as () => Promise<T>)();
      results[index] = result;
      done(result);
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, Number(values.lanes)) }, lane));
  return results;
}

function lined(text: string): string {
  return text.trimEnd().replaceAll("\n", "\n  ");
}
