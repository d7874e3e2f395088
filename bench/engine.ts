import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { CpuShare } from "./cpu-profile.ts";
import { median, ratio } from "./report.ts";
import { WORK, type WorkFigures } from "./work.ts";

/** Rows 1, 3 and 4 of the goals: throughput, one run at a time, fan-out; Tutti and its peers in turn, in every round. */

interface TuttiFigures extends WorkFigures {
  readonly processCpuUsPerStep: number;
  readonly mainCpuUsPerStep: number;
  readonly profile: readonly CpuShare[];
}
export interface EngineRound {
  readonly tutti: TuttiFigures;
  readonly peers: Readonly<Partial<Record<PeerName, WorkFigures>>>;
}

const PEERS = ["restate", "bullmq"] as const;
type PeerName = (typeof PEERS)[number];
/** Tutti alone does ten times the width too, to see that it grows no faster than the work. */
const TUTTI_WORK = { ...WORK, fanOut: [1000, 10_000] };
/** As `scripts/run.mjs` starts our programs. The peers get the same: none of them needs code from strings. */
const FLAGS = ["--disallow-code-generation-from-strings", "--disable-proto=delete", "--disable-warning=ExperimentalWarning"];
/** A measurement that takes longer says nothing any more. */
const PEER_MS_MAX = 10 * 60_000;

export function measureEngine(options: {
  readonly rounds: number;
  readonly withPeers: boolean;
  readonly print: (line: string) => void;
}): readonly EngineRound[] {
  if (options.withPeers) for (const peer of PEERS) install(peer, options.print);
  const rounds: EngineRound[] = [];
  for (let round = 1; round <= options.rounds; round++) {
    const isLast = round === options.rounds;
    const tutti = run<TuttiFigures>("engine-process.ts", [JSON.stringify(TUTTI_WORK), ...(isLast ? ["--profile"] : [])]);
    const peers: Partial<Record<PeerName, WorkFigures>> = {};
    if (options.withPeers)
      for (const peer of PEERS) peers[peer] = run<WorkFigures>(join("peers", peer, "peer.mjs"), [JSON.stringify(WORK)]);
    rounds.push({ tutti, peers });
    for (const [name, figures] of [["tutti", tutti], ...Object.entries(peers)] as const)
      options.print(`round ${round} ${name}: ${inWords(figures)}`);
  }
  return rounds;
}

/** The table of medians, and how Tutti stands to each peer: the median of the ratios within a round. */
export function engineTable(rounds: readonly EngineRound[]): readonly Record<string, string | number>[] {
  const names = ["tutti", ...PEERS] as const;
  return names.flatMap((name) => {
    const all = rounds.flatMap((round) => (name === "tutti" ? round.tutti : (round.peers[name] ?? [])));
    if (all.length === 0) return [];
    const wide = (width: number): number => median(all.map((one) => one.fanOut.find((fan) => fan.width === width)?.medianMs ?? Number.NaN));
    const against = (pick: (one: WorkFigures) => number): number =>
      ratio(
        rounds.flatMap((round) => {
          const other = name === "tutti" ? round.tutti : round.peers[name];
          return other === undefined ? [] : [[pick(round.tutti), pick(other)] as const];
        }),
      );
    return {
      engine: name,
      "steps/s": Math.round(median(all.map((one) => one.stepsPerSecond))),
      "tutti is × as fast": Number(against((one) => one.stepsPerSecond).toFixed(1)),
      "again steps/s": Math.round(median(all.map((one) => one.againStepsPerSecond))),
      "× then": Number(against((one) => one.againStepsPerSecond).toFixed(1)),
      "alone p50 ms": Number(median(all.map((one) => one.alone.p50Ms)).toFixed(2)),
      "tutti takes × of it": Number(against((one) => one.alone.p50Ms).toFixed(2)),
      "1,000 wide ms": Math.round(wide(1000)),
      "10,000 wide ms": Number.isNaN(wide(10_000)) ? "" : Math.round(wide(10_000)),
    };
  });
}

function inWords({ stepsPerSecond, againStepsPerSecond, alone, fanOut }: WorkFigures): string {
  const wide = fanOut.map(({ width, medianMs }) => `${width} parallel ${medianMs.toFixed(0)} ms`).join(", ");
  return `${stepsPerSecond.toFixed(0)} steps/s, then ${againStepsPerSecond.toFixed(0)}, one run alone p50 ${alone.p50Ms.toFixed(2)} ms, p99 ${alone.p99Ms.toFixed(2)} ms, ${wide}`;
}

function run<T>(program: string, args: readonly string[]): T {
  const { NODE_COMPILE_CACHE: _, ...env } = process.env;
  const child = spawnSync(process.execPath, [...FLAGS, join(import.meta.dirname, program), ...args], {
    encoding: "utf8",
    env,
    timeout: PEER_MS_MAX,
    maxBuffer: 64 * 1024 * 1024,
  });
  const line = child.stdout.split("\n").find((one) => one.startsWith("RESULT "));
  if (line === undefined)
    throw new Error(`${program} gave no result (exit ${child.status ?? child.signal ?? "?"}): ${child.stderr.slice(-2000)}`);
  // Each program prints the figures of its kind.
  return JSON.parse(line.slice("RESULT ".length)) as T;
}

function install(peer: PeerName, print: (line: string) => void): void {
  const directory = join(import.meta.dirname, "peers", peer);
  if (existsSync(join(directory, "node_modules"))) return;
  print(`installing ${peer} in bench/peers/${peer} …`);
  const done = spawnSync("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"], {
    cwd: directory,
    stdio: "inherit",
  });
  if (done.status !== 0) throw new Error(`npm install failed in ${directory}`);
}
