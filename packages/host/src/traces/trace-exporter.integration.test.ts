import { createServer, type Server } from "node:http";
import { mkdtempSync, rmSync, writeFileSync, mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { resolveDataDirectory } from "../data-directory.ts";
import { Host } from "../host.ts";
import { toOtlp } from "./otlp.ts";

// A real host, and a collector that answers as each test says.

const WAIT_MS = 180_000;
/** A stop waits for a silent collector for three seconds. Without that it would be five minutes; what lies between is for a machine that is full. */
const STOP_MS_MAX = 120_000;
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly name: string;
}
interface Request {
  readonly path: string | undefined;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly spans: readonly Span[];
  readonly atMs: number;
}

/** A collector on a port of its own; `answer` decides about the request that came as the n-th, from 1. */
class Collector {
  readonly requests: Request[] = [];
  readonly #server: Server;
  readonly #arrivals = new EventTarget();

  constructor(
    answer: (count: number) => { readonly status: number; readonly headers?: Record<string, string>; readonly body?: string } | "silence",
  ) {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const body = JSON.parse(Buffer.concat(chunks).toString("utf8")) as { resourceSpans: { scopeSpans: { spans: Span[] }[] }[] };
        const spans = body.resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans));
        this.requests.push({ path: request.url, headers: request.headers, spans, atMs: performance.now() });
        const say = answer(this.requests.length);
        if (say !== "silence") response.writeHead(say.status, { "content-type": "application/json", ...say.headers }).end(say.body ?? "{}");
        this.#arrivals.dispatchEvent(new Event("arrived"));
      });
    });
    cleanups.push(() => {
      this.#server.closeAllConnections();
      return new Promise((resolve) => this.#server.close(resolve));
    });
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    const address = this.#server.address();
    return `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`;
  }

  async until(holds: (requests: readonly Request[]) => boolean): Promise<void> {
    const limit = AbortSignal.timeout(WAIT_MS);
    while (!holds(this.requests)) {
      await new Promise<void>((resolve, reject) => {
        this.#arrivals.addEventListener("arrived", () => resolve(), { once: true });
        limit.addEventListener("abort", () => reject(new Error(`the collector got ${JSON.stringify(this.requests)}`)), { once: true });
      });
    }
  }
}

async function open(given: {
  readonly traces?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly settings?: string;
  readonly reports?: string[];
  readonly metrics?: boolean;
}): Promise<Host> {
  const path = mkdtempSync(join(tmpdir(), "tutti-traces-"));
  cleanups.push(() => rmSync(path, { recursive: true, force: true }));
  const directory = resolveDataDirectory({ flag: join(path, "data"), environment: {}, currentDirectory: path });
  mkdirSync(directory.path, { mode: 0o700 });
  if (given.settings !== undefined) writeFileSync(join(directory.path, "settings.yaml"), given.settings);
  const host = await Host.open({
    directory,
    drive: "all",
    environment: given.environment ?? {},
    ...(given.traces === undefined ? {} : { traces: given.traces }),
    ...(given.metrics === true ? { metrics: { host: "127.0.0.1", port: 0 } } : {}),
    report: (message) => void given.reports?.push(message),
  });
  cleanups.push(() => host.stop());
  return host;
}

async function run(host: Host, name: string, tasks: string): Promise<string> {
  await host.service.publish({ text: `document: { dsl: 1.0.3, namespace: test, name: ${name}, version: 1.0.0 }\ndo: ${tasks}\n` });
  const { runId } = await host.service.startRun({ namespace: "test", name, version: "1.0.0", input: {}, actor: "test" });
  await host.service.waitFor(runId, "rest", AbortSignal.timeout(WAIT_MS));
  return runId;
}

/** Resolves when the host says so: it counts what it has heard the answer to, which is later than the answer. */
async function counts(host: Host, line: string): Promise<void> {
  const address = `http://127.0.0.1:${host.metricsAddress?.port ?? 0}/metrics`;
  const limit = performance.now() + WAIT_MS;
  while (!(await (await fetch(address)).text()).split("\n").includes(line)) {
    if (performance.now() > limit) throw new Error(`the metrics never say ${line}`);
    await pause(20);
  }
}

const SHELL = '[ { it: { run: { shell: { command: "true" } } } } ]';
const FAILS = '[ { first: { set: { a: 1 } } }, { it: { run: { shell: { command: "exit 3" } } } } ]';

test("a run that ended is delivered as `run trace` shows it, a faulted one as far as it came", async () => {
  const collector = new Collector(() => ({ status: 200 }));
  const origin = await collector.start();
  const host = await open({ traces: origin, metrics: true });
  const done = await run(host, "shell", SHELL);
  const failed = await run(host, "fails", FAILS);
  const spansOf = (requests: readonly Request[]): readonly Span[] => requests.flatMap(({ spans }) => spans);
  await collector.until((requests) => new Set(spansOf(requests).map(({ traceId }) => traceId)).size === 2);
  const wanted = (toOtlp(await host.service.trace(done)) as { resourceSpans: { scopeSpans: { spans: Span[] }[] }[] }).resourceSpans[0]
    ?.scopeSpans[0]?.spans;
  const [{ traceId } = { traceId: "" }] = wanted ?? [];
  expect(spansOf(collector.requests).filter((span) => span.traceId === traceId)).toEqual(wanted);
  expect(wanted?.map(({ name }) => name)).toEqual(["run.shell", "it", "test/shell"]);
  expect(
    spansOf(collector.requests)
      .filter((span) => span.traceId !== traceId)
      .map(({ name }) => name),
  ).toEqual(["first", "run.shell"]);
  expect(new Set(collector.requests.map(({ path }) => path))).toEqual(new Set(["/v1/traces"]));
  await host.service.operate({ runId: failed, actor: "test", action: { kind: "cancel" } });
  await collector.until((requests) => spansOf(requests).some(({ name }) => name === "test/fails"));
  await counts(host, "tutti_traces_exported_total 3");
});

test("a collector that is busy is asked again when it says, one that refuses is not", async () => {
  const collector = new Collector((count) =>
    count === 1 ? { status: 503, headers: { "retry-after": "1" } } : { status: count === 2 ? 200 : 400 },
  );
  const origin = await collector.start();
  const reports: string[] = [];
  const environment = {
    OTEL_EXPORTER_OTLP_ENDPOINT: `${origin}/base`,
    OTEL_EXPORTER_OTLP_HEADERS: "x-team=net%20ops, authorization=Bearer%20top-secret-1",
  };
  const host = await open({ environment, reports, metrics: true });
  await run(host, "shell", SHELL);
  await collector.until((requests) => requests.length === 2);
  const [first, second] = collector.requests;
  expect(second?.spans).toEqual(first?.spans);
  expect((second?.atMs ?? 0) - (first?.atMs ?? 0)).toBeGreaterThan(950);
  expect(first).toMatchObject({ path: "/base/v1/traces", headers: { "x-team": "net ops", authorization: "Bearer top-secret-1" } });
  await run(host, "other", SHELL);
  await collector.until((requests) => requests.length === 3);
  await counts(host, 'tutti_traces_dropped_total{reason="refused"} 1');
  expect(collector.requests).toHaveLength(3);
  expect(reports).toEqual([expect.stringContaining("it answered 503"), expect.stringContaining("it answered 400")]);
  expect(reports.join("\n")).not.toContain("top-secret-1");
});

test("a collector that takes a request and says nothing, or is not there, holds up neither runs nor the stop", async () => {
  const collector = new Collector(() => "silence");
  const origin = await collector.start();
  const reports: string[] = [];
  const settings = `traces: { endpoint: '${origin}', headers: { authorization: { secret: collectorKey } } }\n`;
  const host = await open({ settings, reports, environment: { TUTTI_SECRET_collectorKey: "Bearer by-name" } });
  await run(host, "shell", SHELL);
  await collector.until((requests) => requests.length === 1);
  expect(collector.requests[0]?.headers["authorization"]).toBe("Bearer by-name");
  await Promise.all(Array.from({ length: 20 }, (_, index) => run(host, `more-${index}`, SHELL)));
  const beganAt = performance.now();
  await host.stop();
  expect(performance.now() - beganAt).toBeLessThan(STOP_MS_MAX);
  const away: string[] = [];
  const gone = createServer();
  await new Promise<void>((resolve) => gone.listen(0, "127.0.0.1", resolve));
  const place = gone.address();
  await new Promise((resolve) => gone.close(resolve));
  const alone = await open({ traces: `http://127.0.0.1:${typeof place === "object" && place !== null ? place.port : 0}`, reports: away });
  await run(alone, "shell", SHELL);
  await alone.stop();
  expect(away).toEqual([expect.stringMatching(/does not take traces \(ECONNREFUSED\)/)]);
});

/** A service that fails the first call, and writes down what it is told. */
async function startService(): Promise<{ readonly origin: string; readonly told: (string | undefined)[] }> {
  const told: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    const { traceparent } = request.headers;
    told.push(typeof traceparent === "string" ? traceparent : undefined);
    response.writeHead(told.length === 1 ? 503 : 200, { "content-type": "application/json" }).end("{}");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => new Promise((resolve) => void server.close(resolve)));
  const address = server.address();
  return { origin: `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`, told };
}

test("a call tells the service the span of its attempt, the one that is exported", async () => {
  const service = await startService();
  const host = await open({});
  const get = (name: string, more = ""): string =>
    `{ ${name}: { call: http, with: { method: get, endpoint: '${service.origin}'${more} } } }`;
  const retried = `{ tries: { try: [ ${get("first")} ], catch: { errors: { with: { status: 503 } }, retry: { delay: { milliseconds: 1 }, limit: { attempt: { count: 2 } } } } } }`;
  const runId = await run(host, "calls", `[ ${retried}, ${get("second")}, ${get("own", ", headers: { traceparent: mine }")} ]`);
  const { resourceSpans } = toOtlp(await host.service.trace(runId)) as { resourceSpans: { scopeSpans: { spans: Span[] }[] }[] };
  const attempts = (resourceSpans[0]?.scopeSpans[0]?.spans ?? []).filter(({ name }) => name === "http");
  expect(attempts).toHaveLength(4);
  expect(new Set(attempts.map(({ spanId }) => spanId)).size).toBe(4);
  expect(service.told).toEqual([...attempts.slice(0, 3).map(({ traceId, spanId }) => `00-${traceId}-${spanId}-01`), "mine"]);
  const silent = await open({ settings: "traces: { propagate: false }\n" });
  await run(silent, "calls", `[ ${get("second")} ]`);
  expect(service.told.at(-1)).toBeUndefined();
});
