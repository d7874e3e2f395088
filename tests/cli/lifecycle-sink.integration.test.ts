import { rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { LinkedService, resolveDataDirectory } from "@tutti/host";
import type { CloudEvent } from "@tutti/model";
import { afterEach, expect, test } from "vitest";
import { TuttiProcess, workDirectory } from "./tutti-process.ts";

// A real `tutti up` is killed while it tells a sink what happens. What the sink has taken until the end is compared with what the records say.

const TIMEOUT_MS = 480_000;
const RUNS = 3;
/** Of some 120 that there are in the end: in the middle of it. */
const TAKEN_BEFORE_KILL = 40;
const WORKFLOW = `document: { dsl: 1.0.3, namespace: test, name: steps, version: 1.0.0 }
do:
  - a: { set: { x: 1 } }
  - b: { run: { shell: { command: "true" } }, metadata: { tutti: { effect: { class: idempotent } } } }
  - c: { for: { each: i, in: "\${ [1, 2] }" }, do: [ { d: { run: { shell: { command: "true" } }, metadata: { tutti: { effect: { class: idempotent } } } } } ] }
`;
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

/** Takes `limit` events and then says nothing any more, until it is opened again. */
class Sink {
  readonly taken: CloudEvent[] = [];
  limit = Number.POSITIVE_INFINITY;
  readonly #server: Server;
  #onArrival: () => void = () => undefined;

  constructor() {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("error", () => {});
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        if (this.taken.length < this.limit) {
          this.taken.push(JSON.parse(Buffer.concat(chunks).toString("utf8")) as CloudEvent);
          response.writeHead(202).end();
        }
        this.#onArrival();
      });
    });
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    cleanups.push(() => {
      this.#server.closeAllConnections();
      return new Promise((resolve) => this.#server.close(resolve));
    });
    const address = this.#server.address();
    return `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}/`;
  }

  async until(holds: () => boolean): Promise<void> {
    const untilMs = performance.now() + TIMEOUT_MS / 2;
    while (!holds()) {
      if (performance.now() > untilMs) throw new Error(`the sink has taken ${this.taken.length}`);
      await new Promise<void>((resolve) => {
        this.#onArrival = resolve;
        setTimeout(resolve, 100);
      });
    }
  }
}

async function withService<T>(directory: string, act: (service: LinkedService) => Promise<T>): Promise<T> {
  const data = resolveDataDirectory({ flag: join(directory, ".tutti"), environment: {}, currentDirectory: directory });
  const service = await LinkedService.open({ directory: data, drive: "asked", environment: {}, report: () => undefined });
  try {
    return await act(service);
  } finally {
    await service.close();
  }
}

async function startRun(service: LinkedService): Promise<string> {
  return (await service.startRun({ namespace: "test", name: "steps", version: "1.0.0", input: {}, actor: "test" })).runId;
}

/** How much of the runs the sink has missed, and whether what it took came in order; a repetition counts where it came first. */
function compare(
  told: ReadonlyMap<string, readonly CloudEvent[]>,
  taken: readonly CloudEvent[],
): { readonly missing: number; readonly isInOrder: boolean } {
  let missing = 0;
  let isInOrder = true;
  for (const [runId, wanted] of told) {
    const first = new Map<string, CloudEvent>();
    for (const event of taken) if (event.subject === runId && !first.has(event.id)) first.set(event.id, event);
    missing += wanted.filter(({ id }) => !first.has(id)).length;
    isInOrder &&= JSON.stringify([...first.values()]) === JSON.stringify(wanted.filter(({ id }) => first.has(id)));
  }
  return { missing, isInOrder };
}

async function killed(isCursorKept: boolean): Promise<{ readonly missing: number; readonly isInOrder: boolean }> {
  const directory = workDirectory({});
  cleanups.push(() => rmSync(directory, { recursive: true, force: true }));
  const sink = new Sink();
  const url = await sink.start();
  sink.limit = TAKEN_BEFORE_KILL;
  const up = new TuttiProcess(directory, ["up", "--lifecycle", url]);
  await up.says("drives all runs");
  const runs = await withService(directory, async (service) => {
    await service.publish({ text: WORKFLOW });
    const started = await Promise.all(Array.from({ length: RUNS }, () => startRun(service)));
    // The control has more to lose when they are done.
    if (!isCursorKept) for (const runId of started) await service.waitFor(runId, "final", AbortSignal.timeout(TIMEOUT_MS));
    return started;
  });
  await sink.until(() => sink.taken.length === TAKEN_BEFORE_KILL);
  up.child.kill("SIGKILL");
  await up.ended;
  sink.limit = Number.POSITIVE_INFINITY;
  if (!isCursorKept) rmSync(join(directory, ".tutti", "lifecycle-sinks.json"));
  const again = new TuttiProcess(directory, ["up", "--lifecycle", url]);
  await again.says("drives all runs");
  const found = await withService(directory, async (service) => {
    runs.push(await startRun(service));
    const told = new Map<string, readonly CloudEvent[]>();
    for (const runId of runs) {
      await service.waitFor(runId, "final", AbortSignal.timeout(TIMEOUT_MS));
      told.set(runId, await service.lifecycleEvents(runId));
    }
    const isTold = (runId: string): boolean => sink.taken.some(({ id }) => id === told.get(runId)?.at(-1)?.id);
    await sink.until(() => (isCursorKept ? runs : runs.slice(-1)).every(isTold));
    return compare(told, sink.taken);
  });
  again.child.kill("SIGTERM");
  await again.ended;
  return found;
}

test("a process that is killed while it tells loses no event, and what it repeats has the same id", { timeout: TIMEOUT_MS }, async () => {
  expect(await killed(true)).toEqual({ missing: 0, isInOrder: true });
});

test("without the place up to which it has told, the same comparison finds events missing", { timeout: TIMEOUT_MS }, async () => {
  expect((await killed(false)).missing).toBeGreaterThan(0);
});
