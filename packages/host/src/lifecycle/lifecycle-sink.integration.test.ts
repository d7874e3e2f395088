import { hash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CloudEvent } from "@tutti/model";
import { afterEach, beforeEach, expect, test } from "vitest";
import { restoreBackup } from "../backup.ts";
import { type DataDirectory, resolveDataDirectory } from "../data-directory.ts";
import { Host } from "../host.ts";
import { removeRestoreMark } from "../restore-mark.ts";
import { SinkServer } from "./sink-server-for-tests.ts";

// Real hosts, one after the other on the same directory, and a sink that answers as each test says.

const WAIT_MS = 180_000;
let server: SinkServer;
let url: string;
let home: string;
const hosts: Host[] = [];

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), "tutti-sink-"));
  server = new SinkServer();
  url = await server.start();
});
afterEach(async () => {
  for (const host of hosts.splice(0)) await host.stop();
  await server.stop();
  rmSync(home, { recursive: true, force: true });
});

const directoryOf = (name = "data"): DataDirectory =>
  resolveDataDirectory({ flag: join(home, name), environment: {}, currentDirectory: home });

async function open(
  given: { readonly sink?: boolean; readonly settings?: string; readonly reports?: string[]; readonly directory?: DataDirectory } = {},
): Promise<Host> {
  const directory = given.directory ?? directoryOf();
  mkdirSync(directory.path, { recursive: true, mode: 0o700 });
  if (given.settings !== undefined) writeFileSync(join(directory.path, "settings.yaml"), given.settings);
  const host = await Host.open({
    directory,
    drive: "all",
    environment: { TUTTI_SECRET_sinkKey: "Bearer by-name" },
    ...(given.sink === false || given.settings !== undefined ? {} : { lifecycle: url }),
    metrics: { host: "127.0.0.1", port: 0 },
    report: (message) => void given.reports?.push(message),
  });
  hosts.push(host);
  return host;
}

const TASKS = '[ { a: { set: { x: 1 } } }, { b: { run: { shell: { command: "true" } } } }, { c: { set: { y: 2 } } } ]';

async function run(host: Host, tasks = TASKS): Promise<string> {
  const name = `w-${hash("sha256", tasks).slice(0, 8)}`;
  await host.service.publish({ text: `document: { dsl: 1.0.3, namespace: test, name: ${name}, version: 1.0.0 }\ndo: ${tasks}\n` });
  const { runId } = await host.service.startRun({ namespace: "test", name, version: "1.0.0", input: {}, actor: "test" });
  await host.service.waitFor(runId, "rest", AbortSignal.timeout(WAIT_MS));
  return runId;
}

const ofRun = (events: readonly CloudEvent[], runId: string): readonly CloudEvent[] => events.filter(({ subject }) => subject === runId);

test("all events of all runs are told in the order of each run, as `run events --lifecycle` shows them", async () => {
  const host = await open();
  const runs = await Promise.all([run(host), run(host), run(host, '[ { bad: { run: { shell: { command: "exit 3" } } } } ]')]);
  const wanted = new Map(await Promise.all(runs.map(async (runId) => [runId, await host.service.lifecycleEvents(runId)] as const)));
  await server.until(() => server.taken.length === [...wanted.values()].flat().length, WAIT_MS);
  for (const [runId, events] of wanted) expect(ofRun(server.taken, runId)).toEqual(events);
  expect(server.told).toHaveLength(server.taken.length);
  expect(server.told[0]?.headers).toMatchObject({ "content-type": "application/cloudevents+json; charset=utf-8", "user-agent": "tutti" });
  // The sink has answered the last one; that the host has heard the answer is told by its count alone.
  const counted = /^tutti_lifecycle_events_total\{outcome="delivered"\} (\d+)$/m;
  let delivered = 0;
  while (delivered < server.taken.length) {
    const metrics = await (await fetch(`http://127.0.0.1:${host.metricsAddress?.port ?? 0}/metrics`)).text();
    delivered = Number(counted.exec(metrics)?.[1]);
  }
  expect(delivered).toBe(server.taken.length);
});

test("a sink that is away or busy holds up no run, and is told everything in order when it is back", async () => {
  const reports: string[] = [];
  server.answer = (_event, before) => (before < 5 ? 503 : 204);
  const host = await open({ reports });
  const first = await run(host);
  await server.until(() => ofRun(server.taken, first).length > 0, WAIT_MS);
  server.answer = () => "silence";
  const more = await Promise.all(Array.from({ length: 5 }, () => run(host)));
  await host.stop();
  server.answer = () => 204;
  const again = await open({ reports });
  for (const runId of [first, ...more]) {
    const wanted = await again.service.lifecycleEvents(runId);
    await server.until(() => ofRun(server.taken, runId).length === wanted.length, WAIT_MS);
    expect(ofRun(server.taken, runId)).toEqual(wanted);
  }
  expect(reports.filter((report) => report.includes("it answered 503"))).toHaveLength(1);
});

test("an event that the sink can't take is left out, the rest is told; types say which are wanted, a secret who tells", async () => {
  const reports: string[] = [];
  server.answer = (event) => (event.type.includes("task.started") ? 422 : 204);
  const settings = `lifecycle: { sinks: [ { url: '${url}', types: ['io.serverlessworkflow.task.started.v1', 'io.serverlessworkflow.workflow.*'], headers: { authorization: { secret: sinkKey } } } ] }\n`;
  const host = await open({ settings, reports });
  const runId = await run(host);
  await server.until(() => server.taken.some(({ type }) => type.includes("workflow.status-changed") && type !== ""), WAIT_MS);
  await server.until(() => server.taken.filter(({ type }) => type.includes("workflow.completed")).length === 1, WAIT_MS);
  expect(new Set(server.told.map(({ event }) => event.type.replace(/^io\.serverlessworkflow\.(\w+).*/, "$1")))).toEqual(
    new Set(["workflow", "task"]),
  );
  expect(server.taken.every(({ type, subject }) => type.includes(".workflow.") && subject === runId)).toBe(true);
  expect(server.told.every(({ headers }) => headers["authorization"] === "Bearer by-name")).toBe(true);
  expect(reports.filter((report) => report.includes("(422)"))).toHaveLength(3);
  expect(reports.join("\n")).not.toContain("by-name");
});

test("a sink that is new is told what comes, not what was; without its place it would miss what happened meanwhile", async () => {
  const before = await open({ sink: false });
  const old = await run(before);
  await before.stop();
  const host = await open();
  const known = await run(host);
  await server.until(() => ofRun(server.taken, known).some(({ type }) => type.includes("workflow.completed")), WAIT_MS);
  expect(
    ofRun(
      server.told.map(({ event }) => event),
      old,
    ),
  ).toEqual([]);
  await host.stop();
  const file = join(directoryOf().path, "lifecycle-sinks.json");
  expect(readFileSync(file, "utf8")).not.toContain("127.0.0.1");
  // Somebody drives without the sink: it is told by the next one that has it.
  const without = await open({ sink: false });
  const missed = await run(without);
  await without.stop();
  const back = await open();
  await server.until(() => ofRun(server.taken, missed).some(({ type }) => type.includes("workflow.completed")), WAIT_MS);
  await back.stop();
  // The control: the same without the file.
  const alone = await open({ sink: false });
  const lost = await run(alone);
  await alone.stop();
  rmSync(file);
  const last = await open();
  const later = await run(last);
  await server.until(() => ofRun(server.taken, later).some(({ type }) => type.includes("workflow.completed")), WAIT_MS);
  expect(
    ofRun(
      server.told.map(({ event }) => event),
      lost,
    ),
  ).toEqual([]);
  await last.stop();
  writeFileSync(file, "{");
  await expect(open()).rejects.toMatchObject({ code: "file-unreadable" });
});

test("a backup knows what was told when it was made: what is restored tells the rest", async () => {
  const host = await open();
  const told = await run(host);
  await server.until(() => ofRun(server.taken, told).some(({ type }) => type.includes("workflow.completed")), WAIT_MS);
  server.answer = () => "silence";
  const untold = await run(host);
  await host.service.backup({ target: join(home, "backup"), withLogs: false, withSecrets: false });
  await host.stop();
  server.answer = () => 204;
  const restored = directoryOf("restored");
  await restoreBackup(join(home, "backup"), restored, () => Date.now());
  await removeRestoreMark(restored);
  const again = await open({ directory: restored });
  const wanted = await again.service.lifecycleEvents(untold);
  await server.until(() => ofRun(server.taken, untold).length === wanted.length, WAIT_MS);
  expect(ofRun(server.taken, untold)).toEqual(wanted);
});
