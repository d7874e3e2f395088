import { expect, test } from "vitest";
import type { CommitBatch, RunCommit, RunRowChange, RunVerdict, Store } from "@tutti/store";
import { type RunChange, RunChanges } from "./run-changes.ts";

const ROW: RunRowChange = {
  tenant: "default",
  status: "running",
  namespace: "default",
  name: "hello",
  version: "1.0.0",
  digest: "d",
  labels: {},
  parentRunId: undefined,
  startedAtMs: 1,
  updatedAtMs: 2,
  endedAtMs: undefined,
  wakeAtMs: undefined,
  isOutstanding: false,
  inDoubt: 0,
  errorType: undefined,
  reason: undefined,
};

function commitOf(runId: string, row: Partial<RunRowChange> | undefined): RunCommit {
  return {
    runId,
    expectedSeq: 0,
    records: [],
    row: row === undefined ? undefined : { ...ROW, ...row },
    snapshot: undefined,
    events: [],
    subscribe: [],
    unsubscribe: [],
    acquire: [],
    release: [],
    send: [],
    take: [],
  };
}

/** A store of which only the answer to a commit matters. */
function storeAnswering(verdicts: readonly RunVerdict["verdict"][]): Store {
  const answer = verdicts.map((verdict): RunVerdict => ({ verdict, slots: [], eventPositions: [], messages: [] }));
  return { commit: async () => ({ verdicts: answer }) } as unknown as Store;
}

async function toldBy(verdicts: readonly RunVerdict["verdict"][], batches: readonly CommitBatch[]): Promise<readonly RunChange[]> {
  const told: RunChange[] = [];
  const changes = new RunChanges();
  const store = storeAnswering(verdicts);
  changes.observe(store);
  changes.subscribe((change) => told.push(change));
  for (const batch of batches) await store.commit(batch);
  return told;
}

test("a committed change of how a run stands is told once, and only when it was committed", async () => {
  const batch = { runs: [commitOf("a", {}), commitOf("b", {}), commitOf("c", undefined)] };
  const told = await toldBy(["committed", "conflict", "committed"], [batch, batch]);
  expect(told).toEqual([{ atMs: 2, runId: "a", workflow: "default/hello:1.0.0", status: "running", inDoubt: 0, reason: undefined }]);
});

test("a new reason is news", async () => {
  const told = await toldBy(
    ["committed"],
    [{ runs: [commitOf("a", {})] }, { runs: [commitOf("a", { status: "waiting", reason: "a timer" })] }],
  );
  expect(told.map(({ status, reason }) => [status, reason])).toEqual([
    ["running", undefined],
    ["waiting", "a timer"],
  ]);
});
