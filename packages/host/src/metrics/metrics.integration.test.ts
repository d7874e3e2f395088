import { spawnSync } from "node:child_process";
import { createServer } from "node:http";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { resolveDataDirectory } from "../data-directory.ts";
import { Host } from "../host.ts";
import { parseExposition, type ParsedSample } from "./exposition-for-tests.ts";
import type { ListenAddress } from "./listen-address.ts";
import { METRICS } from "./metric-catalogue.ts";

const started: Host[] = [];
const directories: string[] = [];
afterEach(async () => {
  for (const host of started.splice(0)) await host.stop();
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

async function open(metrics: ListenAddress = { host: "127.0.0.1", port: 0 }): Promise<Host> {
  const path = mkdtempSync(join(tmpdir(), "tutti-metrics-"));
  directories.push(path);
  const directory = resolveDataDirectory({ flag: join(path, "data"), environment: {}, currentDirectory: path });
  const host = await Host.open({ directory, drive: "all", environment: {}, metrics, report: () => undefined });
  started.push(host);
  return host;
}

async function run(host: Host, name: string, tasks: string, input: { readonly secretive: string }): Promise<string> {
  await host.service.publish({ text: `document: { dsl: 1.0.3, namespace: test, name: ${name}, version: 1.0.0 }\ndo: ${tasks}\n` });
  const { runId } = await host.service.startRun({ namespace: "test", name, version: "1.0.0", input, actor: "test" });
  await host.service.waitFor(runId, "parked", AbortSignal.timeout(180_000));
  return runId;
}

const urlOf = (host: Host, path = "/metrics"): string => `http://127.0.0.1:${host.metricsAddress?.port ?? 0}${path}`;
const valueOf = (samples: readonly ParsedSample[], name: string, labels: Readonly<Record<string, string>> = {}): number | undefined =>
  samples.find((one) => one.name === name && Object.entries(labels).every(([key, value]) => one.labels[key] === value))?.value;

test("what runs do is counted and served in Prometheus' format", async () => {
  const host = await open();
  const CANARY = "canary-3f1c";
  await run(host, "shell", '[ { it: { run: { shell: { command: "true" } } } } ]', { secretive: CANARY });
  await run(host, "fails", '[ { it: { run: { shell: { command: "exit 3" } } } } ]', { secretive: CANARY });
  const waiting = await run(host, "waits", "[ { it: { listen: { to: { one: { with: { type: go } } } } } } ]", { secretive: CANARY });
  const event = { specversion: "1.0" as const, id: "1", source: "test", type: "other", data: CANARY };
  await host.service.acceptEvent(event);
  await host.service.acceptEvent(event);
  const answer = await fetch(urlOf(host));
  expect(answer.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  const text = await answer.text();
  const samples = parseExposition(text);
  const shell = { workflow: "test/shell" };
  expect({
    started: valueOf(samples, "tutti_runs_started_total", shell),
    completed: valueOf(samples, "tutti_runs_ended_total", { ...shell, status: "completed" }),
    faulted: valueOf(samples, "tutti_runs_ended_total", { workflow: "test/fails", status: "faulted" }),
    steps: valueOf(samples, "tutti_attempts_total", { effect: "unsafe", outcome: "completed" }),
    failed: valueOf(samples, "tutti_attempts_total", { effect: "unsafe", outcome: "failed" }),
    waiting: valueOf(samples, "tutti_runs", { status: "waiting" }),
    accepted: valueOf(samples, "tutti_events_accepted_total"),
    duplicate: valueOf(samples, "tutti_events_duplicate_total"),
  }).toEqual({ started: 1, completed: 1, faulted: 1, steps: 1, failed: 1, waiting: 1, accepted: 1, duplicate: 1 });
  expect(valueOf(samples, "tutti_commit_duration_seconds_count")).toBeGreaterThan(3);
  expect(valueOf(samples, "tutti_store_operation_duration_seconds_count", { operation: "acceptEvent" })).toBe(2);
  expect(valueOf(samples, "process_resident_memory_bytes")).toBeGreaterThan(1e6);
  // Everything that is documented is there.
  for (const name of Object.keys(METRICS)) expect(text).toContain(`# TYPE ${name} `);
  // Names and numbers only.
  for (const value of [CANARY, waiting]) expect(text).not.toContain(value);
  lint(text);
});

test("nothing but a reading of /metrics is answered", async () => {
  const host = await open();
  expect((await fetch(urlOf(host, "/"))).status).toBe(404);
  expect((await fetch(urlOf(host), { method: "POST", body: "x" })).status).toBe(405);
  const head = await fetch(urlOf(host), { method: "HEAD" });
  expect([head.status, await head.text()]).toEqual([200, ""]);
  await host.stop();
  await expect(fetch(urlOf(host))).rejects.toThrow("fetch failed");
});

test("an address that is taken is refused with the way out, and the data directory is free again", async () => {
  const other = createServer();
  const port = await new Promise<number>((resolve) => {
    other.listen(0, "127.0.0.1", () => {
      const address = other.address();
      resolve(typeof address === "object" && address !== null ? address.port : 0);
    });
  });
  await expect(open({ host: "127.0.0.1", port })).rejects.toMatchObject({ code: "address-unusable" });
  const directory = resolveDataDirectory({ flag: join(directories.at(-1) ?? "", "data"), environment: {}, currentDirectory: "/" });
  started.push(await Host.open({ directory, drive: "all", environment: {}, report: () => undefined }));
  expect(started.at(-1)?.metricsAddress).toBeUndefined();
  await new Promise<void>((resolve) => void other.close(() => resolve()));
});

/** Prometheus' own linter, where it is installed. */
function lint(text: string): void {
  const linted = spawnSync("promtool", ["check", "metrics"], { input: text, encoding: "utf8", timeout: 120_000 });
  if (linted.error !== undefined && "code" in linted.error && linted.error.code === "ENOENT") return;
  expect({ status: linted.status, said: linted.stdout + linted.stderr }).toEqual({ status: 0, said: "" });
}
