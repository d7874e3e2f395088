import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { connectOnly, LinkedService, resolveDataDirectory } from "@tutti/host";
import { isJsonObject } from "@tutti/model";
import { createBank } from "@tutti/testkit";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { programFile } from "../../scripts/programs.mjs";

// A live `tutti up` whose wall clock is moved by libfaketime while it runs; the monotonic clock is left alone, as the kernel leaves it.
const FAKETIME = `/usr/lib/${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux-gnu/faketime/libfaketimeMT.so.1`;
const HOUR_S = 3600;
/** A timer may come this much before its time, not more. */
const EARLY_MS_MAX = 1000;
/** A jump of the wall clock is noticed at the next tick, at most 5 s later; the rest is for a busy machine. */
const NOTICED_MS_MAX = 120_000;
const START_MS_MAX = 120_000;

const document = (name: string, wait: string): string =>
  `document: { dsl: 1.0.3, namespace: clock, name: ${name}, version: 1.0.0 }
do:
  - before: { call: "account.put:1@bank", with: { account: ${name}, amount: 1 } }
  - rest: { wait: ${wait} }
  - after: { call: "account.transfer:1@bank", with: { account: ${name}-paid, amount: 1 } }
`;

/** A process that drives everything, and its clock. */
class Up {
  readonly home = mkdtempSync(join(tmpdir(), "tutti-clock-"));
  readonly #directory = resolveDataDirectory({ flag: join(this.home, "data"), environment: {}, currentDirectory: "/" });
  #child: ChildProcess | undefined;
  service: LinkedService | undefined;

  /** Shows the process a wall clock that is this much ahead of ours. */
  setClock(offsetS: number): void {
    // By renaming: the process never reads half of it.
    writeFileSync(join(this.home, "clock.new"), `${offsetS < 0 ? "-" : "+"}${Math.abs(offsetS)}\n`);
    renameSync(join(this.home, "clock.new"), join(this.home, "clock"));
  }

  async start(): Promise<LinkedService> {
    const child = spawn(
      process.execPath,
      [...process.execArgv, programFile("apps/cli/src/main.ts"), "up", "--data", this.#directory.path],
      {
        stdio: "ignore",
        env: {
          ...process.env,
          LD_PRELOAD: FAKETIME,
          FAKETIME_TIMESTAMP_FILE: join(this.home, "clock"),
          FAKETIME_NO_CACHE: "1",
          FAKETIME_DONT_FAKE_MONOTONIC: "1",
          DONT_FAKE_MONOTONIC: "1",
          TUTTI_TEST_BANK: join(this.home, "bank"),
        },
      },
    );
    this.#child = child;
    const deadline = performance.now() + START_MS_MAX;
    for (;;) {
      const client = existsSync(this.#directory.path) ? await connectOnly(this.#directory, {}) : undefined;
      client?.close();
      if (client !== undefined) break;
      if (child.exitCode !== null || performance.now() > deadline) throw new Error(`tutti up did not start (${child.exitCode})`);
      await pause(50);
    }
    this.service = await LinkedService.open({ directory: this.#directory, drive: "asked", environment: {}, report: () => undefined });
    return this.service;
  }

  async kill(): Promise<void> {
    await this.service?.close();
    this.service = undefined;
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  }

  async close(): Promise<void> {
    await this.kill();
    rmSync(this.home, { recursive: true, force: true });
  }

  /** How often each effect happened. */
  effects(): readonly number[] {
    const bank = createBank({ path: join(this.home, "bank") });
    try {
      return [...bank.effects().values()];
    } finally {
      bank.close();
    }
  }
}

async function begin(service: LinkedService, name: string, wait: string): Promise<string> {
  await service.publish({ text: document(name, wait) });
  const { runId } = await service.startRun({ namespace: "clock", name, version: "1.0.0", input: {}, actor: "test" });
  await service.waitFor(runId, "parked", AbortSignal.timeout(START_MS_MAX));
  return runId;
}

/** Event times as they are recorded: never back. */
async function eventTimes(service: LinkedService, runId: string): Promise<readonly number[]> {
  const records = await service.records(runId, 1, 1000);
  return records.map(({ record }) => (isJsonObject(record) ? Number(record["at"]) : Number.NaN));
}

/** Real time that passes until the run is over. */
async function endsAfterMs(service: LinkedService, runId: string): Promise<number> {
  const startedAt = performance.now();
  const row = await service.waitFor(runId, "rest", AbortSignal.timeout(NOTICED_MS_MAX));
  expect(row).toMatchObject({ status: "completed" });
  return performance.now() - startedAt;
}

describe("the wall clock of a live process jumps (libfaketime)", () => {
  let up: Up;
  beforeEach(({ skip }) => {
    up = new Up();
    skip(!existsSync(FAKETIME), `${FAKETIME} is not there (package libfaketime)`);
    up.setClock(0);
  });
  afterEach(async () => up.close());

  test("back an hour: a timer of three seconds takes three seconds", async () => {
    const service = await up.start();
    const runId = await begin(service, "short", "{ seconds: 3 }");
    const [startedAt] = await eventTimes(service, runId);
    up.setClock(-HOUR_S);
    await endsAfterMs(service, runId);
    const times = await eventTimes(service, runId);
    const tookMs = (times.at(-1) ?? 0) - (startedAt ?? 0);
    expect(tookMs).toBeGreaterThanOrEqual(3000 - EARLY_MS_MAX);
    expect(tookMs).toBeLessThan(3000 + NOTICED_MS_MAX);
    expect(times).toEqual(times.toSorted((left, right) => left - right));
    expect(up.effects()).toEqual([1, 1]);
  });

  test("on an hour, and on to 2038: what is due fires, what is not due waits, nothing happens twice, and back again nothing goes back", async () => {
    const service = await up.start();
    const hour = await begin(service, "hour", "{ minutes: 59 }");
    const years = await begin(service, "years", "{ days: 3650 }");
    const forever = await begin(service, "forever", "{ days: 36500 }");
    up.setClock(HOUR_S);
    await endsAfterMs(service, hour);
    expect(await service.loadRow(years)).toMatchObject({ status: "waiting" });
    // Past the end of 32-bit seconds.
    const in2038S = Math.ceil((Date.parse("2038-01-20T00:00:00Z") - Date.now()) / 1000);
    up.setClock(in2038S);
    await endsAfterMs(service, years);
    expect(await service.loadRow(forever)).toMatchObject({ status: "waiting" });
    // Back to today: what is begun now is stamped as of 2038 and takes as long as it should.
    up.setClock(0);
    const late = await begin(service, "late", "{ seconds: 2 }");
    await endsAfterMs(service, late);
    // Twelve years are not age yet: the run of 2026 has not been deleted.
    for (const runId of [hour, years, forever, late]) {
      const times = await eventTimes(service, runId);
      expect(times).toEqual(times.toSorted((left, right) => left - right));
    }
    expect(up.effects().toSorted((left, right) => left - right)).toEqual([1, 1, 1, 1, 1, 1, 1]);
  });

  test("back an hour while the process is away: event time of a run does not go back", async () => {
    const first = await up.start();
    const runId = await begin(first, "away", "{ hours: 10 }");
    const before = await eventTimes(first, runId);
    await up.kill();
    up.setClock(-HOUR_S);
    const second = await up.start();
    await second.operate({ runId, actor: "test", action: { kind: "pause" } });
    const after = await eventTimes(second, runId);
    expect(after.length).toBeGreaterThan(before.length);
    expect(after).toEqual(after.toSorted((left, right) => left - right));
    expect(up.effects()).toEqual([1]);
  });

  test("control: the process goes by the clock that it is shown", async () => {
    up.setClock(HOUR_S);
    const service = await up.start();
    const [startedAt] = await eventTimes(service, await begin(service, "ahead", "{ hours: 10 }"));
    expect((startedAt ?? 0) - Date.now()).toBeGreaterThan((HOUR_S - 60) * 1000);
  });
});
