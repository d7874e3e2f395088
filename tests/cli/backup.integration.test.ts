import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { LinkedService, resolveDataDirectory } from "@tutti/host";
import { afterEach, expect, test, vi } from "vitest";
import { tutti, TuttiProcess, workDirectory } from "./tutti-process.ts";

// Every command is a process of its own; on a machine under load each may take seconds.
vi.setConfig({ testTimeout: 480_000 });

/** Where a workflow's programs work. */
interface Place {
  readonly directory: string;
}

const HEAD = (name: string): string => `document: { dsl: 1.0.3, namespace: default, name: ${name}, version: 1.0.0 }\n`;
const task = (name: string, command: string, { directory, effect }: Place & { readonly effect: string }): string => `  - ${name}:
      run: { shell: { command: "cd ${directory}; ${command}" } }
      metadata: { tutti: { effect: { class: ${effect} } } }
`;
const UNTIL_FLAG = "until test -f flag; do sleep 0.05; done";

/** Each task counts its effect under a name; those that are to be under way when the backup is made wait until the file `flag` is there. */
const workflows = (place: Place): Readonly<Record<string, string>> => {
  const [again, unsafe] = [
    { ...place, effect: "idempotent" },
    { ...place, effect: "unsafe" },
  ];
  return {
    // The world looks at the token, as a service that takes an idempotency key does: what it has made under one, it does not make again.
    order: `${HEAD("order")}do:\n${[
      task("reserve", "echo reserve >> effects", again),
      task("build", `mkdir made-$TUTTI_TOKEN 2>/dev/null && echo build >> effects; ${UNTIL_FLAG}`, again),
      task("hand-over", "echo hand-over >> effects", again),
    ].join("")}`,
    // The control: it says that it may be repeated, and counts each time.
    careless: `${HEAD("careless")}do:\n${task("again", `echo again >> effects; ${UNTIL_FLAG}`, again)}`,
    pay: `${HEAD("pay")}do:\n${task("pay", `echo pay >> effects; ${UNTIL_FLAG}`, unsafe)}`,
    event: `${HEAD("event")}do:\n  - approval: { listen: { to: { one: { with: { type: com.example.approved } } } } }\n`,
    done: `${HEAD("done")}do:\n${task("once", "echo once >> effects", again)}`,
    tick: `${HEAD("tick")}schedule: { every: P1D }\ndo:\n${task("tick", "echo tick >> effects", again)}`,
  };
};

const started: TuttiProcess[] = [];
afterEach(async () => {
  for (const each of started.splice(0)) {
    each.child.kill("SIGKILL");
    await each.ended;
  }
});

async function up(directory: string): Promise<TuttiProcess> {
  const process = new TuttiProcess(directory, ["up"]);
  started.push(process);
  await process.says("drives all runs");
  return process;
}

/** The service of the process that drives, for what is no matter of the commands under test. */
async function serviceOf(directory: string): Promise<LinkedService> {
  const data = resolveDataDirectory({ flag: join(directory, ".tutti"), environment: {}, currentDirectory: "/" });
  return LinkedService.open({ directory: data, drive: "asked", environment: {}, report: () => undefined });
}

/** Only stops what hangs. */
const WAIT_MS_MAX = 120_000;
const inTime = (): AbortSignal => AbortSignal.timeout(WAIT_MS_MAX);

test("after the loss of a data directory its backup goes on where it was: nothing is lost, nothing is done twice", async () => {
  const directory = workDirectory({});
  const effects = (): Readonly<Record<string, number>> => {
    const path = join(directory, "effects");
    const lines = existsSync(path) ? readFileSync(path, "utf8").trim().split("\n") : [];
    return Object.fromEntries([...new Set(lines)].toSorted().map((name) => [name, lines.filter((line) => line === name).length]));
  };
  const owner = await up(directory);
  const live = await serviceOf(directory);
  for (const text of Object.values(workflows({ directory }))) await live.publish({ text });
  const begin = async (name: string): Promise<string> =>
    (await live.startRun({ namespace: "default", name, version: "latest", input: {}, actor: "test" })).runId;
  const done = await begin("done");
  await live.waitFor(done, "final", inTime());
  const [order, careless, pay, event] = [await begin("order"), await begin("careless"), await begin("pay"), await begin("event")];
  await vi.waitUntil(() => ["build", "again", "pay"].every((name) => effects()[name] !== undefined), { timeout: WAIT_MS_MAX });
  await live.waitFor(event, "parked", inTime());

  const backup = await tutti(directory, ["admin", "backup", "kept/monday"]);
  expect(backup).toMatchObject({ code: 0, error: "" });
  expect(backup.out).toMatch(/^Backed up 5 runs, \d+ records, .+ to .+\/kept\/monday\n$/);
  // What comes after the backup is lost with the data directory.
  const late = await begin("done");
  await live.waitFor(late, "final", inTime());
  const before = effects();
  expect(before).toEqual({ again: 1, build: 1, once: 2, pay: 1, reserve: 1 });
  await live.close();
  owner.child.kill("SIGKILL");
  await owner.ended;
  rmSync(join(directory, ".tutti"), { recursive: true });

  const restored = await tutti(directory, ["admin", "restore", "kept/monday", "--data", ".tutti"]);
  expect(restored).toMatchObject({ code: 0 });
  expect(restored.out).toMatch(/^Restored 5 runs, \d+ records of \d{4}-.+Z to .+\/\.tutti\n$/);
  expect(restored.error).toContain("Nothing in it goes on yet. `tutti --data .tutti admin release --dry-run` shows what would.");
  // Until somebody says go, it can be looked at and does nothing.
  const paused = { code: 3, error: expect.stringMatching(/was restored from the backup of .*admin release/s) as string };
  expect(await tutti(directory, ["up"])).toMatchObject(paused);
  expect(await tutti(directory, ["schedule", "fire", "tick"])).toMatchObject(paused);
  // As it was suggested.
  const dry = await tutti(directory, ["--data", ".tutti", "admin", "release", "--dry-run"]);
  expect(dry).toMatchObject({ code: 0 });
  expect(dry.out).toContain("4 runs would go on, 3 of them had something in flight when the backup was made.");
  for (const run of [order, careless, pay]) expect(dry.out).toContain(run);
  expect(effects()).toEqual(before);

  const released = await tutti(directory, ["admin", "release"]);
  expect(released).toMatchObject({ code: 0 });
  expect(released.out).toContain("Released: `tutti up` drives all runs on");
  expect((await tutti(directory, ["admin", "release"])).out).toContain("Nothing to release");
  writeFileSync(join(directory, "flag"), "");
  await up(directory);
  const again = await serviceOf(directory);
  expect(await again.loadRow(done)).toMatchObject({ status: "completed" });
  await expect(again.loadRow(late)).rejects.toMatchObject({ code: "run-not-found" });
  for (const run of [order, careless]) expect(await again.waitFor(run, "final", inTime())).toMatchObject({ status: "completed" });
  // Nobody knows whether it was paid: a person says so.
  expect(await again.waitFor(pay, "parked", inTime())).toMatchObject({ inDoubt: 1 });
  expect(await tutti(directory, ["run", "settle", pay, "pay", "--done", "--value", "1"])).toMatchObject({ code: 0 });
  await again.acceptEvent({ specversion: "1.0", id: "1", source: "/test", type: "com.example.approved" });
  expect(await again.waitFor(event, "final", inTime())).toMatchObject({ status: "completed" });
  // The control is the only one that was done again: so it was repeated, and would be seen.
  expect(effects()).toEqual({ ...before, again: 2, "hand-over": 1 });
  await again.close();
  expect(await tutti(directory, ["admin", "doctor"])).toMatchObject({ code: 0 });
});

test("a backup or restore that would write over something, or is damaged or of a newer version, is refused with the way out", async () => {
  const directory = workDirectory({});
  const owner = await up(directory);
  expect(await tutti(directory, ["admin", "backup", "kept"])).toMatchObject({ code: 0 });
  const again = await tutti(directory, ["admin", "backup", "kept"]);
  expect(again).toMatchObject({ code: 3, out: "" });
  expect(again.error).toMatch(/kept is there already: a backup never writes over anything\. {2}\[backup-refused\]\nName a directory/);

  const nameless = await tutti(directory, ["admin", "restore", "kept"]);
  expect(nameless).toMatchObject({
    code: 2,
    error: expect.stringContaining("`--data DIR`, a directory that is empty or not there.") as string,
  });
  // The installation's own directory, as after a slip of the hand while it works.
  const inUse = await tutti(directory, ["admin", "restore", "kept", "--data", ".tutti"]);
  expect(inUse).toMatchObject({ code: 3, out: "" });
  expect(inUse.error).toMatch(
    /\.tutti is not empty: a restore never writes over anything\. {2}\[restore-refused\]\nName another data directory/,
  );
  expect(readdirSync(join(directory, ".tutti"))).not.toContain("restored.json");
  expect(owner.child.exitCode).toBeNull();

  const store = join(directory, "kept", "tutti.db");
  const manifest = join(directory, "kept", "manifest.json");
  const [whole, text] = [readFileSync(store), readFileSync(manifest, "utf8")];
  const restore = () => tutti(directory, ["admin", "restore", "kept", "--data", "new"]);
  const flipped = Buffer.from(whole);
  flipped[5000] = (flipped[5000] ?? 0) ^ 1;
  writeFileSync(store, flipped);
  const damaged = await restore();
  expect(damaged).toMatchObject({ code: 4, out: "" });
  expect(damaged.error).toMatch(/tutti\.db of the backup kept does not match its checksum\. {2}\[backup-damaged\]\nTake another backup/);
  writeFileSync(store, whole);
  writeFileSync(manifest, text.replace('"format": 1', '"format": 2'));
  const newer = await restore();
  expect(newer).toMatchObject({ code: 3, out: "" });
  expect(newer.error).toMatch(/format 2; this version of Tutti knows 1\. {2}\[store-newer\]\n.*use that version/);
  // None of them has left anything; the whole one is taken.
  expect(existsSync(join(directory, "new"))).toBe(false);
  writeFileSync(manifest, text);
  expect(await restore()).toMatchObject({ code: 0 });
  expect(readdirSync(join(directory, "new"))).toContain("restored.json");
});
