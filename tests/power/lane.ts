import { closeSync, mkdirSync, openSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { openSqliteStore } from "@tutti/store-sqlite";
import type { Random } from "@tutti/testkit";
import { findLost, type Findings, inspect, type Place } from "../crash/findings.ts";
import { finishAll, WorkerProcess, type WorkerOptions } from "../crash/worker-process.ts";
import { TellingProcess } from "./child-lines.ts";
import { type CutKind, Disk, type PowerSwitch } from "./disk.ts";
import { standStill } from "./stand-still.ts";

/** From the first acknowledgement of a process to the cut. */
const LIFE_MS_MAX = 300;
/** One life in ten is so long that the log is written back to the database while it lasts, and the cut may fall into that. */
const LONG_LIFE_MS_MAX = 3_000;
const LONG_LIVES = 0.1;
/** From the first look at the directory to the cut: a first start takes about 100 ms, a migration 300. */
const FIRST_START_MS_MAX = 160;
const MIGRATION_MS_MAX = 400;
const OPENER = join(import.meta.dirname, "opener.ts");
const MIGRATOR = fileURLToPath(new URL("../../packages/store-sqlite/src/testing/migrate-child.ts", import.meta.url));

/** One disk and what runs on it; the promises and the bank's books are kept beside it. */
export class Lane {
  readonly disk: Disk;
  readonly #home: string;
  readonly #random: Random;
  readonly #stderr: number;
  readonly #place: Place;
  cuts = 0;
  /** Cuts that fell before the process had come to its end: only these test something. */
  midway = 0;
  /** What each start after a cut took. */
  readonly startsMs: number[] = [];

  constructor(home: string, random: Random) {
    mkdirSync(home, { recursive: true });
    this.disk = new Disk(home);
    this.#home = home;
    this.#random = random;
    this.#stderr = openSync(join(home, "stderr"), "w");
    this.#place = { directory: join(this.disk.mountPoint, "data"), home };
  }

  /** A loaded process loses its disk `count` times. @returns what is wrong after each cut, and after all runs were brought to their end. */
  async load(count: number, options: WorkerOptions = {}): Promise<Findings> {
    this.#renew();
    const lost: string[] = [];
    for (let cut = 1; cut <= count; cut++) lost.push(...(await this.#cutLoaded(options)));
    const code = await finishAll(this.#place);
    const findings = await inspect(this.#place);
    await this.disk.unmount();
    return {
      ...findings,
      lost: [...lost, ...findings.lost],
      stuck: code === 0 ? findings.stuck : [...findings.stuck, `the last process ended with ${code}`],
    };
  }

  /** Loads and cuts until something acknowledged is missing. @returns how many cuts that took, and what is missing. */
  async loadUntilLost(cutsMax: number, options: WorkerOptions): Promise<{ readonly cuts: number; readonly lost: readonly string[] }> {
    for (let cut = 1; cut <= cutsMax; cut++) {
      this.#renew();
      const lost = await this.#cutLoaded(options);
      await this.disk.unmount();
      if (lost.length > 0) return { cuts: cut, lost };
    }
    return { cuts: cutsMax, lost: [] };
  }

  async #cutLoaded(options: WorkerOptions): Promise<readonly string[]> {
    const power = await this.disk.switch();
    const worker = new WorkerProcess(this.#place, "load", { ...options, stderr: this.#stderr });
    await worker.firstAck();
    await pause(this.#random.integer(0, this.#random.chance(LONG_LIVES) ? LONG_LIFE_MS_MAX : LIFE_MS_MAX));
    const isAlive = worker.isAlive;
    await this.#cut(power, worker);
    if (!isAlive) return [`the process ended before the cut: ${this.stderrTail()}`];
    try {
      return await this.#startedWell();
    } catch (error) {
      return [`after cut ${this.cuts} the store does not start: ${error instanceof Error ? error.message : String(error)}`];
    }
  }

  /** Opens the store as it is after the cut. @returns what was acknowledged and is not there, and damage. */
  async #startedWell(): Promise<readonly string[]> {
    const store = openSqliteStore({ directory: this.#place.directory });
    const startedAt = performance.now();
    await store.start();
    this.#startTook(performance.now() - startedAt);
    try {
      const lost = await findLost(store, this.#home);
      const { damage } = await store.check();
      return [...lost, ...damage.map((one) => `damaged after cut ${this.cuts}: ${one.what}`)];
    } finally {
      await store.abandon();
    }
  }

  /** The very first start of a directory loses its disk. @returns what is wrong when it is started again. */
  async firstStart(): Promise<readonly string[]> {
    this.#renew();
    const first = await this.#cutTelling(OPENER, FIRST_START_MS_MAX, "stopped");
    const second = new TellingProcess(OPENER, [this.#place.directory], this.#stderr);
    await second.ended;
    const [, tookMs = "", id, known] = (second.lines.find((line) => line.startsWith("open ")) ?? "").split(" ");
    const promised = first.find((line) => line.startsWith("open "))?.split(" ")[2];
    this.#startTook(Number(tookMs));
    await this.disk.unmount();
    const wrong: string[] = [];
    if (!second.lines.includes("stopped")) wrong.push(`a start after a first start that was cut ended early: ${this.stderrTail()}`);
    if (!second.lines.includes("damage 0")) wrong.push("damaged after a first start that was cut");
    if (promised !== undefined && promised !== id) wrong.push("the installation has another id after its first start was cut");
    if (first.includes("published") && known !== "1") wrong.push("a published workflow was lost by a cut during the first start");
    return wrong.map((one) => `${one} (after "${first.at(-1) ?? ""}")`);
  }

  /** A migration loses its disk. @returns what is wrong when it goes on. */
  async migration(): Promise<readonly string[]> {
    this.#renew();
    const first = await this.#cutTelling(MIGRATOR, MIGRATION_MS_MAX, "whole");
    const second = new TellingProcess(MIGRATOR, [this.#place.directory], this.#stderr);
    await second.ended;
    await this.disk.unmount();
    const numberOf = (line: string | undefined): number => Number(line?.split(" ")[1] ?? 0);
    const promised = numberOf(first.findLast((line) => line.startsWith("done ")));
    const found = numberOf(second.lines.find((line) => line.startsWith("found ")));
    const wrong: string[] = [];
    if (found < promised) wrong.push(`migration ${promised} was acknowledged, ${found} are there`);
    if (!second.lines.includes("whole"))
      wrong.push(`the migration does not go on after a cut: ${second.lines.at(-1)} ${this.stderrTail()}`);
    return wrong;
  }

  async #cutTelling(file: string, lifeMsMax: number, last: string): Promise<readonly string[]> {
    const power = await this.disk.switch();
    const process = new TellingProcess(file, [this.#place.directory], this.#stderr);
    await process.line("begin");
    await pause(this.#random.integer(0, lifeMsMax));
    await this.#cut(power, process);
    if (!process.lines.includes(last)) this.midway += 1;
    return process.lines;
  }

  /**
   * Processor and disk go out together, as in a real cut: the process is stopped first. A sync that is under way while only the file system is
   * shut down may answer "done" without having written (Linux 6.18: 37 of 300 cuts of a program that does nothing but write and fsync; none
   * of 300 when it was stopped first), and what is promised on such an answer was promised after the cut.
   */
  async #cut(power: PowerSwitch, victim: WorkerProcess | TellingProcess): Promise<void> {
    const kind: CutKind = this.#random.chance(0.7) ? 2 : 1;
    await standStill(victim.child);
    const answer = await power.press(kind);
    if (answer !== "off") throw new Error(`The power switch answered ${answer}.`);
    await victim.kill();
    await this.disk.unmount();
    this.disk.mount();
    this.cuts += 1;
  }

  /** An empty disk, and no promises. */
  #renew(): void {
    this.disk.format();
    for (const name of ["acks", "bank"]) rmSync(join(this.#home, name), { force: true });
    mkdirSync(this.#place.directory, { mode: 0o700 });
  }

  #startTook(ms: number): void {
    this.startsMs.push(Math.ceil(ms));
  }

  /** What the processes wrote on standard error last; they complain about the lost disk, so it is shown only with a finding. */
  stderrTail(): string {
    return readFileSync(join(this.#home, "stderr"), "utf8").trimEnd().split("\n").slice(-12).join("\n    ");
  }

  close(): void {
    closeSync(this.#stderr);
  }
}
