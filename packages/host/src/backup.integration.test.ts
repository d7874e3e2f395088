import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { openSqliteStore, type SqliteStore } from "@tutti/store-sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import { restoreBackup } from "./backup.ts";
import { resolveDataDirectory } from "./data-directory.ts";
import { Host } from "./host.ts";
import { removeRestoreMark } from "./restore-mark.ts";
import type { TuttiService } from "./service.ts";

const RUNS_IN_FLIGHT = 12;
/** Completed runs before the backup begins, and while it goes on. */
const RUNS_BEFORE = 60;
const NOW = 1_760_000_000_000;

const STEPS = `document: { dsl: 1.0.3, namespace: test, name: steps, version: 1.0.0 }
do:
  - put: { call: "account.put:1@bank", with: { account: a, amount: 1 } }
  - loop:
      for: { in: "[1, 2, 3]" }
      do: [ { step: { call: "account.put:1@bank", with: { account: b, amount: "\${ $item }" } } } ]`;
/** Writes a line when it begins, and ends when the file `flag` is there. */
const shell = (name: string, more = "") => `document: { dsl: 1.0.3, namespace: test, name: ${name}, version: 1.0.0 }
do:
  - work:
      run: { shell: { command: "echo ${name} >> ${home}/effects; until test -f ${home}/flag; do sleep 0.05; done" } }
      ${more}`;

const TIMED = `document: { dsl: 1.0.3, namespace: test, name: timed, version: 1.0.0 }
schedule: { every: P1D }
do: [ { note: { set: { x: 1 } } } ]`;

let home = "";
let hosts: Host[] = [];
let stores: SqliteStore[] = [];
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "tutti-backup-"));
});
afterEach(async () => {
  writeFileSync(join(home, "flag"), "");
  for (const host of hosts) await host.stop();
  for (const store of stores) await store.stop();
  hosts = [];
  stores = [];
  rmSync(home, { recursive: true, force: true });
});

const directoryOf = (name: string) => resolveDataDirectory({ flag: join(home, name), environment: {}, currentDirectory: "/" });

async function openHost(name: string, drive: "all" | "asked"): Promise<Host> {
  const host = await Host.open({
    directory: directoryOf(name),
    drive,
    environment: { ...process.env, TUTTI_TEST_BANK: join(home, "bank") },
    report: () => undefined,
  });
  hosts.push(host);
  return host;
}

async function openStore(name: string): Promise<SqliteStore> {
  const store = openSqliteStore({ directory: join(home, name) });
  await store.start();
  stores.push(store);
  return store;
}

/** Starts runs and waits for them, again and again; `done` are acknowledged as completed. */
class Load {
  readonly started = new Set<string>();
  readonly done = new Set<string>();
  #isOn = true;
  readonly #workers: Promise<void>[];
  #waiters: (() => void)[] = [];

  constructor(service: TuttiService) {
    this.#workers = Array.from({ length: RUNS_IN_FLIGHT }, () => this.#work(service));
  }

  async #work(service: TuttiService): Promise<void> {
    while (this.#isOn) {
      const { runId } = await service.startRun({ namespace: "test", name: "steps", version: "latest", input: {}, actor: "test" });
      this.started.add(runId);
      await service.waitFor(runId, "final", AbortSignal.timeout(180_000));
      this.done.add(runId);
      for (const wake of this.#waiters.splice(0)) wake();
    }
  }

  async untilDone(count: number): Promise<void> {
    while (this.done.size < count) await new Promise<void>((resolve) => this.#waiters.push(resolve));
  }

  async stop(): Promise<void> {
    this.#isOn = false;
    await Promise.all(this.#workers);
  }
}

/** What a copy lacks of what was acknowledged before it was made, and where it says something else than the original. */
async function differences(
  copy: SqliteStore,
  original: SqliteStore,
  acks: { readonly started: readonly string[]; readonly done: readonly string[] },
) {
  const found: string[] = [];
  for (const runId of acks.started) if ((await copy.loadRun(runId)) === undefined) found.push(`${runId} is missing`);
  for (const runId of acks.done) if ((await copy.loadRun(runId))?.status !== "completed") found.push(`${runId} is not completed`);
  for (const runId of await copy.findRunIds("run_", 100_000)) {
    const mine = (await copy.loadRecords(runId, { withSnapshot: false })).records;
    const theirs = (await original.loadRecords(runId, { withSnapshot: false })).records;
    if (JSON.stringify(mine) !== JSON.stringify(theirs.slice(0, mine.length))) found.push(`${runId} is no prefix`);
  }
  found.push(...(await copy.check()).damage.map((damage) => damage.what));
  return found;
}

test("T16: a backup under load has everything acknowledged before it began, and of every run a beginning of its history", async () => {
  const live = await openHost("live", "all");
  await live.service.publish({ text: STEPS });
  const load = new Load(live.service);
  await load.untilDone(RUNS_BEFORE);
  const acks = { started: [...load.started], done: [...load.done] };
  const before = load.done.size;
  const report = await live.service.backup({ target: join(home, "backup"), withSecrets: false, withLogs: false });
  expect(report.damage).toEqual([]);
  // Runs went on while it was made, and after.
  await load.untilDone(before + RUNS_IN_FLIGHT);
  // Control: a plain copy of the file, without the log, under the same load. As long as somebody reads, the log is not written back past what he
  // reads: at any other moment the file might happen to be whole.
  const reader = new DatabaseSync(join(home, "live", "tutti.db"), { readOnly: true });
  reader.exec("begin");
  reader.prepare("select count(*) from run").get();
  await load.untilDone(load.done.size + RUNS_IN_FLIGHT);
  const controlAcks = { started: [...load.started], done: [...load.done] };
  mkdirSync(join(home, "control"));
  copyFileSync(join(home, "live", "tutti.db"), join(home, "control", "tutti.db"));
  reader.close();
  await load.stop();
  await live.stop();
  await restoreBackup(join(home, "backup"), directoryOf("restored"), () => NOW);
  const original = await openStore("live");
  expect(await differences(await openStore("restored"), original, acks)).toEqual([]);
  expect(await differences(await openStore("control"), original, controlAcks).catch((error: unknown) => [String(error)])).not.toEqual([]);
});

test("a restored directory answers look-ups and moves nothing until it is released; then the effect class decides", async () => {
  const live = await openHost("live", "all");
  const repeatable = "metadata: { tutti: { effect: { class: idempotent } } }";
  await live.service.publish({ text: shell("unsafe") });
  await live.service.publish({ text: shell("repeatable", repeatable) });
  await live.service.publish({ text: TIMED });
  await live.service.setSchedule("test", "timed", true);
  const effects = (): readonly string[] =>
    existsSync(join(home, "effects")) ? readFileSync(join(home, "effects"), "utf8").trim().split("\n") : [];
  const runIds: string[] = [];
  for (const name of ["unsafe", "repeatable"]) {
    const { runId } = await live.service.startRun({ namespace: "test", name, version: "latest", input: {}, actor: "test" });
    runIds.push(runId);
  }
  while (effects().length < 2) await new Promise((resolve) => setTimeout(resolve, 20));
  await live.service.backup({ target: join(home, "backup"), withSecrets: false, withLogs: true });
  writeFileSync(join(home, "flag"), "");
  await live.stop();
  rmSync(join(home, "flag"));
  await restoreBackup(join(home, "backup"), directoryOf("restored"), () => NOW);

  await expect(openHost("restored", "all")).rejects.toMatchObject({ code: "restored-paused" });
  const paused = await openHost("restored", "asked");
  const [unsafe = "", again = ""] = runIds;
  expect(await paused.service.show(unsafe)).toMatchObject({ status: "running" });
  expect((await paused.service.list({ limit: 10 })).runs).toHaveLength(2);
  const refused = { code: "restored-paused" };
  await expect(paused.service.drive(unsafe)).rejects.toMatchObject(refused);
  await expect(paused.service.operate({ runId: unsafe, actor: "test", action: { kind: "cancel" } })).rejects.toMatchObject(refused);
  await expect(
    paused.service.startRun({ namespace: "test", name: "unsafe", version: "latest", input: {}, actor: "test" }),
  ).rejects.toMatchObject(refused);
  await expect(paused.service.acceptEvent({ specversion: "1.0", id: "1", source: "/t", type: "t" })).rejects.toMatchObject(refused);
  await expect(paused.service.fireSchedule({ namespace: "test", name: "timed", actor: "test" })).rejects.toMatchObject(refused);
  await expect(paused.service.setSchedule("test", "timed", true)).rejects.toMatchObject(refused);
  // What must not start after the release may be switched off before it.
  expect(await paused.service.setSchedule("test", "timed", false)).toMatchObject({ isEnabled: false });
  await paused.stop();
  expect(effects()).toHaveLength(2);

  writeFileSync(join(home, "flag"), "");
  await removeRestoreMark(directoryOf("restored"));
  const released = await openHost("restored", "all");
  expect(await released.service.waitFor(again, "final", AbortSignal.timeout(180_000))).toMatchObject({ status: "completed" });
  expect(await released.service.waitFor(unsafe, "parked", AbortSignal.timeout(180_000))).toMatchObject({ inDoubt: 1 });
  // Only what may be repeated was.
  expect(effects().filter((line) => line === "unsafe")).toHaveLength(1);
  expect(effects().filter((line) => line === "repeatable")).toHaveLength(2);
});

test("secrets are in a backup only when asked for; its files are private; a target that is there is refused", async () => {
  const live = await openHost("live", "asked");
  const canary = "canary-8462117";
  writeFileSync(join(home, "live", "secrets", "token"), canary, { mode: 0o600 });
  await live.service.backup({ target: join(home, "plain"), withSecrets: false, withLogs: false });
  expect(readdirSync(join(home, "plain")).toSorted()).toEqual(["installation-id", "manifest.json", "tutti.db"]);
  expect(readdirSync(join(home, "plain")).some((name) => readFileSync(join(home, "plain", name)).includes(canary))).toBe(false);
  await live.service.backup({ target: join(home, "whole"), withSecrets: true, withLogs: false });
  expect(readFileSync(join(home, "whole", "secrets", "token"), "utf8")).toBe(canary);
  await expect(live.service.backup({ target: join(home, "whole"), withSecrets: true, withLogs: false })).rejects.toMatchObject({
    code: "backup-refused",
  });
  await restoreBackup(join(home, "whole"), directoryOf("restored"), () => NOW);
  expect(readFileSync(join(home, "restored", "secrets", "token"), "utf8")).toBe(canary);
  expect(readFileSync(join(home, "restored", "installation-id"))).toEqual(readFileSync(join(home, "live", "installation-id")));
});

test("a backup that was changed, cut or made by a newer version is refused by name; a directory with something in it is left alone", async () => {
  const live = await openHost("live", "asked");
  await live.service.backup({ target: join(home, "backup"), withSecrets: false, withLogs: false });
  const database = join(home, "backup", "tutti.db");
  const manifest = join(home, "backup", "manifest.json");
  const [whole, text] = [readFileSync(database), readFileSync(manifest, "utf8")];
  const restore = () => restoreBackup(join(home, "backup"), directoryOf("restored"), () => NOW);

  const flipped = Buffer.from(whole);
  flipped[5000] = (flipped[5000] ?? 0) ^ 1;
  writeFileSync(database, flipped);
  await expect(restore()).rejects.toMatchObject({ code: "backup-damaged", message: expect.stringContaining("tutti.db") as string });
  writeFileSync(database, whole.subarray(0, whole.length - 1));
  await expect(restore()).rejects.toMatchObject({ code: "backup-damaged" });
  rmSync(database);
  await expect(restore()).rejects.toMatchObject({ code: "backup-damaged" });
  writeFileSync(database, whole);
  writeFileSync(manifest, text.replace('"tutti.db"', '"../tutti.db"'));
  await expect(restore()).rejects.toMatchObject({ code: "backup-damaged" });
  writeFileSync(manifest, text.replace('"format": 1', '"format": 2'));
  await expect(restore()).rejects.toMatchObject({ code: "store-newer" });
  rmSync(manifest);
  await expect(restore()).rejects.toMatchObject({ code: "backup-damaged" });
  // Nothing was made of any of these.
  expect(existsSync(join(home, "restored"))).toBe(false);

  writeFileSync(manifest, text);
  mkdirSync(join(home, "restored"));
  writeFileSync(join(home, "restored", "mine"), "");
  await expect(restore()).rejects.toMatchObject({ code: "restore-refused" });
  expect(readdirSync(join(home, "restored"))).toEqual(["mine"]);
});

test("a restore that fails leaves nothing behind: the same directory takes the next one", async () => {
  const live = await openHost("live", "asked");
  writeFileSync(join(home, "live", "secrets", "token"), "secret", { mode: 0o600 });
  await live.service.backup({ target: join(home, "backup"), withSecrets: true, withLogs: false });
  await live.stop();
  const file = join(home, "backup", "tutti.db");
  const manifest = join(home, "backup", "manifest.json");
  const [whole, text] = [readFileSync(file), readFileSync(manifest, "utf8")];
  /** As a version would have written it that knows one migration more: every checksum fits. */
  const database = new DatabaseSync(file);
  database.exec("insert into migration select max(number) + 1, 'later' from migration");
  database.close();
  const later = readFileSync(file);
  const digest = createHash("sha256").update(later).digest("hex");
  // The shape of a manifest is this version's own.
  const parsed = JSON.parse(text) as { files: { name: string; bytes: number; sha256: string }[] };
  const files = parsed.files.map((entry) => (entry.name === "tutti.db" ? { ...entry, bytes: later.length, sha256: digest } : entry));
  writeFileSync(manifest, JSON.stringify({ ...parsed, files }));
  const restore = () => restoreBackup(join(home, "backup"), directoryOf("restored"), () => NOW);
  await expect(restore()).rejects.toMatchObject({ code: "store-newer" });
  expect(readdirSync(join(home, "restored"))).toEqual([]);
  writeFileSync(file, whole);
  writeFileSync(manifest, text);
  expect(await restore()).toMatchObject({ runs: 0 });
  expect(readFileSync(join(home, "restored", "secrets", "token"), "utf8")).toBe("secret");
});
