// `npm run test:crash -- --kills N [--seed S]`: a loaded process is killed N times with kill -9 at random moments; afterwards every acknowledged
// record is there, no result is doubled, no run is stuck, none is quarantined. The control acknowledges before it commits and must be caught.
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Json } from "@tutti/model";
import { openSqliteStore } from "@tutti/store-sqlite";
import { createBank, createRandom } from "@tutti/testkit";
import { readAcks } from "./acks.ts";

/** Longest life of a worker after its first acknowledgement, as in the kill loop of the trust reference. */
const LIFE_MS_MAX = 500;
/** A worker that acknowledges nothing for this long is stuck at its start. */
const FIRST_ACK_MS = 30_000;
const CONTROL_KILLS_MAX = 60;
/** Loops at the same time, each on a directory of its own: one process's start uses one core. */
const LANES = 2;
const WORKER = join(import.meta.dirname, "worker.ts");

interface Findings {
  readonly acknowledged: number;
  readonly runs: number;
  readonly lost: readonly string[];
  readonly doubled: readonly string[];
  readonly stuck: readonly string[];
  readonly quarantined: readonly string[];
}

const { values } = parseArgs({ options: { kills: { type: "string", default: "300" }, seed: { type: "string" } } });
const kills = Number(values.kills);
const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
const random = createRandom(seed);
process.stdout.write(`kill loop: ${kills} kills, seed ${seed}\n`);

const startedAt = performance.now();
const lanes = await Promise.all(Array.from({ length: LANES }, (_, lane) => killLoop("load", Math.ceil((kills - lane) / LANES), lane)));
const result = lanes.reduce(joined);
report("kill loop", result);
const control = await controlLoop();
process.stdout.write(
  `control (acknowledge before commit): ${control.lost > 0 ? `caught after ${control.kills} kills, ${control.lost} records lost` : `NOT caught in ${control.kills} kills`}\n`,
);
process.stdout.write(`${((performance.now() - startedAt) / 1000).toFixed(1)} s\n`);
const failures = result.lost.length + result.doubled.length + result.stuck.length + result.quarantined.length + (control.lost > 0 ? 0 : 1);
if (failures > 0) process.stdout.write(`REPRODUCE: npm run test:crash -- --kills ${kills} --seed ${seed}\n`);
process.stdout.write(`${failures === 0 ? 2 : 2 - Math.min(2, failures)} passed, ${Math.min(2, failures)} failed\n`);
process.exitCode = failures === 0 ? 0 : 1;

async function killLoop(mode: "load" | "load-ack-early", count: number, lane: number): Promise<Findings> {
  const home = mkdtempSync(join(tmpdir(), "tutti-crash-"));
  try {
    const directory = join(home, "data");
    mkdirSync(directory, { mode: 0o700 });
    for (let kill = 1; kill <= count; kill++) {
      await lifeAndDeath(directory, mode);
      if (kill % 50 === 0)
        process.stdout.write(`  lane ${lane + 1}: ${kill} kills, ${readAcks(join(home, "acks")).lines} acknowledgements\n`);
    }
    const finished = await runWorker(directory, "finish");
    return { ...(await inspect(home)), ...(finished === 0 ? {} : { stuck: [`the last process ended with ${finished}`] }) };
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

/** A few kills are enough to expose a process that promises before it has written; each round is checked on its own. */
async function controlLoop(): Promise<{ readonly kills: number; readonly lost: number }> {
  const home = mkdtempSync(join(tmpdir(), "tutti-crash-control-"));
  try {
    const directory = join(home, "data");
    mkdirSync(directory, { mode: 0o700 });
    for (let kill = 1; kill <= CONTROL_KILLS_MAX; kill++) {
      await lifeAndDeath(directory, "load-ack-early");
      const { lost } = await inspect(home);
      if (lost.length > 0) return { kills: kill, lost: lost.length };
    }
    return { kills: CONTROL_KILLS_MAX, lost: 0 };
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

/** One life: start, wait for the first acknowledgement, kill at a random moment. */
async function lifeAndDeath(directory: string, mode: string): Promise<void> {
  const acks = join(directory, "..", "acks");
  const before = readAcks(acks).lines;
  const child = spawn(process.execPath, [...process.execArgv, WORKER, directory, mode], { stdio: ["ignore", "inherit", "inherit"] });
  const ended = new Promise<number | null>((resolve) => child.on("exit", (code) => resolve(code)));
  const deadline = performance.now() + FIRST_ACK_MS;
  while (readAcks(acks).lines === before) {
    if (child.exitCode !== null) throw new Error(`the worker ended by itself with ${child.exitCode}`);
    if (performance.now() > deadline) {
      child.kill("SIGKILL");
      throw new Error("the worker acknowledged nothing");
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await new Promise((resolve) => setTimeout(resolve, random.integer(0, LIFE_MS_MAX)));
  child.kill("SIGKILL");
  await ended;
}

function runWorker(directory: string, mode: string): Promise<number> {
  const child = spawn(process.execPath, [...process.execArgv, WORKER, directory, mode], { stdio: ["ignore", "inherit", "inherit"] });
  return new Promise((resolve) => child.on("exit", (code) => resolve(code ?? -1)));
}

/** Compares what was acknowledged with what is stored, and the books of the bank with the results. */
async function inspect(home: string): Promise<Findings> {
  const acks = readAcks(join(home, "acks"));
  const bank = createBank({ path: join(home, "bank") });
  const store = openSqliteStore({ directory: join(home, "data") });
  await store.start();
  const lost: string[] = [];
  const doubled: string[] = [];
  const stuck: string[] = [];
  const quarantined: string[] = [];
  try {
    for (const runId of acks.started)
      if (!acks.committed.has(runId) && (await store.loadRun(runId)) === undefined) lost.push(`start of ${runId}`);
    for (const [runId, seq] of acks.committed) {
      const row = await store.loadRun(runId);
      if (row === undefined || row.seq < seq) {
        lost.push(`${runId}: acknowledged up to ${seq}, stored up to ${row?.seq ?? 0}`);
        continue;
      }
      if (row.status === "quarantined") quarantined.push(runId);
      else if (row.status !== "completed") stuck.push(`${runId} is ${row.status}: ${row.reason ?? ""}`);
      doubled.push(
        ...doubledResults(
          runId,
          (await store.loadRecords(runId, { withSnapshot: false })).records.map((record) => JSON.parse(record.body) as Json),
        ),
      );
    }
    for (const [token, count] of bank.effects()) if (count > 1) doubled.push(`effect ${token} happened ${count} times`);
    return { acknowledged: acks.lines, runs: acks.committed.size, lost, doubled, stuck, quarantined };
  } finally {
    await store.stop();
    bank.close();
  }
}

/** A task's attempt ends once, and a token completes once. */
function doubledResults(runId: string, records: readonly Json[]): readonly string[] {
  const seen = new Set<string>();
  const tokens = new Map<number, string>();
  return records.flatMap((record) => {
    const { type, task, attempt, token } = record as { type: string; task: number; attempt: number; token: string };
    if (type === "attempt-intended") tokens.set(task, token);
    if (type !== "attempt-ended") return [];
    // A person's "not done, run" gives the task a new token, whose attempts count from 1 again.
    const key = `${task}/${tokens.get(task) ?? ""}/${attempt}`;
    const isDouble = seen.has(key);
    seen.add(key);
    // A read that is interrupted leaves no record; its attempt number is used again by design and ends once.
    return isDouble ? [`${runId}: attempt ${key} ended twice`] : [];
  });
}

function joined(left: Findings, right: Findings): Findings {
  return {
    acknowledged: left.acknowledged + right.acknowledged,
    runs: left.runs + right.runs,
    lost: [...left.lost, ...right.lost],
    doubled: [...left.doubled, ...right.doubled],
    stuck: [...left.stuck, ...right.stuck],
    quarantined: [...left.quarantined, ...right.quarantined],
  };
}

function report(name: string, findings: Findings): void {
  process.stdout.write(
    `${name}: ${findings.acknowledged} acknowledgements of ${findings.runs} runs; ${findings.lost.length} lost, ${findings.doubled.length} doubled, ${findings.stuck.length} stuck, ${findings.quarantined.length} quarantined\n`,
  );
  for (const finding of [...findings.lost, ...findings.doubled, ...findings.stuck, ...findings.quarantined].slice(0, 20))
    process.stdout.write(`  ${finding}\n`);
}
