import { expect, test } from "vitest";
import { packJobs, packResults, unpackJobs, unpackResults } from "./pack-jobs.ts";
import { type CommittedRun, NOTHING_MORE, type PlannedRun, type WriteJob, type WriteResult } from "./write-job.ts";

const APPEND: PlannedRun = {
  runKey: 7,
  runId: "",
  isNew: false,
  seqFirst: 3,
  seqLast: 4,
  body: "{}\n{}",
  payloadPlaces: undefined,
  payloads: undefined,
  row: undefined,
  extras: undefined,
};
const ROW: NonNullable<PlannedRun["row"]> = {
  tenant: "t",
  status: "waiting",
  namespace: "ns",
  name: "n",
  version: "1.0.0",
  digest: "d",
  labels: { team: "net" },
  parentRunId: "run_parent",
  startedAtMs: 1.5,
  updatedAtMs: 2.25,
  endedAtMs: undefined,
  wakeAtMs: 9,
  isOutstanding: true,
  inDoubt: 2,
  errorType: "e",
  reason: "r",
};
const NO_EXTRAS = {
  snapshot: undefined,
  events: [],
  subscribe: [],
  unsubscribe: [],
  acquire: [],
  release: [],
  send: [],
  take: [4],
};

test("every kind of run arrives in the other thread as it was sent, in the order of the batch", () => {
  const runs: readonly PlannedRun[] = [
    APPEND,
    { ...APPEND, runKey: 8, runId: "run_a", isNew: true, row: ROW },
    { ...APPEND, runKey: 9, runId: "run_b", row: { ...ROW, endedAtMs: 3, parentRunId: undefined, wakeAtMs: undefined } },
    { ...APPEND, runKey: 10, runId: "run_c", payloadPlaces: "[]", payloads: [{ hash: "h", text: "t" }], row: ROW },
    { ...APPEND, runKey: 11, runId: "run_d", extras: NO_EXTRAS },
    { ...APPEND, runKey: 12, seqFirst: 5, seqLast: 4, body: "" },
  ];
  const jobs: readonly WriteJob[] = [
    { kind: "commit", runs },
    { kind: "set", name: "last-fence", value: 3 },
  ];
  expect(unpackJobs(structuredClone(packJobs(jobs)))).toEqual(jobs);
});

test("the answers come back run by run, and that there is nothing to say is one object for all", () => {
  const more: CommittedRun = { slots: [], eventPositions: [5], messages: [] };
  const results: readonly WriteResult[] = [{ kind: "commit", runs: [NOTHING_MORE, more, NOTHING_MORE] }, { kind: "set" }];
  const [commit, set] = unpackResults(structuredClone(packResults(results)));
  expect([commit, set]).toEqual(results);
  expect(commit?.kind === "commit" && commit.runs[2] === NOTHING_MORE).toBe(true);
});
