import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRuntime, type Runtime } from "@tutti/runtime";
import type { Subscriber, SubscriptionRow } from "@tutti/store";
import { commitOf, rowOf } from "@tutti/store/fixtures";
import { openSqliteStore, type SqliteStore } from "@tutti/store-sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import { prepareDataDirectory, resolveDataDirectory } from "./data-directory.ts";
import { createNodeEnv } from "./node-env.ts";

/** Approvals that wait beside the one that is decided: so many runs, each of which listens so many times. */
const OTHER_RUNS = 500;
const LISTENERS_EACH = 100;

const TYPE = "approval.decided";
const APPROVAL = `document: { dsl: 1.0.3, namespace: test, name: approval, version: 1.0.0 }
do:
  - decided:
      listen:
        to:
          one:
            with: { type: ${TYPE}, source: /orders, subject: "\${ .order }" }
`;

let home = "";
let runtime: Runtime | undefined;
let store: SqliteStore | undefined;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "tutti-events-"));
});
afterEach(async () => {
  await runtime?.stop();
  await store?.stop();
  rmSync(home, { recursive: true, force: true });
});

test("an event loads only the run that it fits, beside fifty thousand that wait for others of its type", async () => {
  const first = await startProcess();
  await first.runtime.publish({ text: APPROVAL });
  const order = { namespace: "test", name: "approval", version: "latest", actor: "test" };
  const [mine, yours] = [
    await first.runtime.startRun({ ...order, input: { order: "mine" } }),
    await first.runtime.startRun({ ...order, input: { order: "yours" } }),
  ];
  for (const { runId } of [mine, yours]) await first.runtime.waitFor(runId, "parked", new AbortController().signal);
  const key = first.keys.get(yours.runId);
  expect(key?.name).toBe('[["source"],["subject"]]');
  await seedListeners(first.store, (index) => ({ name: key?.name ?? "", value: index.toString(16).padStart(32, "0") }));
  await first.runtime.stop();
  await first.store.stop();

  const second = await startProcess();
  const event = { specversion: "1.0" as const, id: "1", source: "/orders", subject: "mine", type: TYPE };
  const { position } = await second.runtime.acceptEvent(event);
  await second.handedOut(position);
  expect(second.loaded).toEqual([mine.runId]);
  expect(second.found).toEqual([{ runId: mine.runId, task: expect.any(Number), filter: 0 }]);
  expect(await second.runtime.waitFor(mine.runId, "rest", new AbortController().signal)).toMatchObject({ status: "completed" });
  expect(await second.store.loadRun(yours.runId)).toMatchObject({ status: "waiting" });
});

/** A runtime on the directory whose calls of the store are watched. */
async function startProcess() {
  const opened = openSqliteStore({ directory: home });
  store = opened;
  const directory = resolveDataDirectory({ flag: home, environment: {}, currentDirectory: "/" });
  await prepareDataDirectory(directory);
  await opened.start();
  const loaded: string[] = [];
  const found: Subscriber[] = [];
  const keys = new Map<string, SubscriptionRow["key"]>();
  const cursor = new EventTarget();
  let cursorAt = 0;
  const { loadRecords, findSubscribers, writeDispatchCursor, commit } = {
    loadRecords: opened.loadRecords.bind(opened),
    findSubscribers: opened.findSubscribers.bind(opened),
    writeDispatchCursor: opened.writeDispatchCursor.bind(opened),
    commit: opened.commit.bind(opened),
  };
  opened.loadRecords = async (runId, options) => {
    loaded.push(runId);
    return loadRecords(runId, options);
  };
  opened.findSubscribers = async (query) => {
    const page = await findSubscribers(query);
    found.push(...page.subscribers);
    return page;
  };
  opened.writeDispatchCursor = async (position) => {
    await writeDispatchCursor(position);
    cursorAt = position;
    cursor.dispatchEvent(new Event("moved"));
  };
  opened.commit = async (batch) => {
    for (const { runId, subscribe } of batch.runs) for (const one of subscribe) keys.set(runId, one.key);
    return commit(batch);
  };
  const started = createRuntime({
    store: opened,
    connectors: [],
    env: createNodeEnv({ directory, environment: {}, report: () => undefined }),
    drive: "all",
    version: "test",
  });
  runtime = started;
  await started.start();
  const handedOut = async (position: number): Promise<void> => {
    while (cursorAt < position) await new Promise((resolve) => cursor.addEventListener("moved", resolve, { once: true }));
  };
  return { runtime: started, store: opened, loaded, found, keys, handedOut };
}

/** Subscriptions as runs that wait leave them behind; nobody may look into these runs, so their history is none. */
async function seedListeners(into: SqliteStore, keyOf: (index: number) => NonNullable<SubscriptionRow["key"]>): Promise<void> {
  const runs = Array.from({ length: OTHER_RUNS }, (_, run) =>
    commitOf(run, 0, {
      row: rowOf({ status: "waiting", namespace: "test", name: "other" }),
      subscribe: Array.from({ length: LISTENERS_EACH }, (__, task) => ({
        tenant: "default",
        task,
        filter: 0,
        eventType: TYPE,
        correlated: true,
        key: keyOf(run * LISTENERS_EACH + task),
      })),
    }),
  );
  await into.commit({ runs });
}
