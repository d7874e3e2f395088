import { checkBatch, type CommitBatch, type CommitResult, type RecordBody, type RunCommit, type RunVerdict } from "@tutti/store";
import type { RunIndex, RunPlaceInStore } from "./run-index.ts";
import { type CommittedRun, NOTHING_MORE, type PlannedExtras, type PlannedRun, type WriteJob } from "./write-job.ts";

const CONFLICT: RunVerdict = { verdict: "conflict", slots: [], eventPositions: [], messages: [] };
/** Of most runs. */
const COMMITTED: RunVerdict = { verdict: "committed", ...NOTHING_MORE };

export interface CommitPlan {
  readonly job: WriteJob & { readonly kind: "commit" };
  /** Makes the answer from what the transaction gave. */
  readonly answer: (committed: readonly CommittedRun[]) => CommitResult;
  /** Text to be written, in UTF-16 units: what the choice of the thread goes by. */
  readonly size: number;
}

/**
 * Decides per run whether it is a conflict, and prepares what is to be written of the others.
 *
 * Called when the batch's turn has come and nothing is in flight, so the sequences in `index` are those of the store. They are moved on here
 * already; the caller forgets the runs when the transaction fails.
 */
export function planCommit(index: RunIndex, batch: CommitBatch): CommitPlan {
  checkBatch(batch);
  const runs: PlannedRun[] = [];
  const isCommitted: boolean[] = [];
  let size = 0;
  const places = index.findAll(batch.runs.map(({ runId }) => runId));
  for (const [place, commit] of batch.runs.entries()) {
    const planned = planRun(index, commit, places[place]);
    isCommitted.push(planned !== undefined);
    if (planned === undefined) continue;
    runs.push(planned);
    size += planned.body.length + (planned.extras?.snapshot?.body.length ?? 0);
    if (planned.payloads !== undefined) for (const payload of planned.payloads) size += payload.text.length;
  }
  return { job: { kind: "commit", runs }, answer: (committed) => answerOf(isCommitted, committed), size };
}

function planRun(index: RunIndex, commit: RunCommit, known: RunPlaceInStore | undefined): PlannedRun | undefined {
  if ((known?.seq ?? 0) !== commit.expectedSeq) return undefined;
  const place = known ?? index.add(commit.runId);
  place.seq = commit.expectedSeq + commit.records.length;
  const hasPayloads = commit.records.some((record) => record.payloads !== undefined && record.payloads.length > 0);
  return {
    runKey: place.runKey,
    runId: commit.runId,
    isNew: known === undefined,
    seqFirst: commit.expectedSeq + 1,
    seqLast: place.seq,
    body: linesOf(commit.records),
    payloadPlaces: hasPayloads ? placesOf(commit.records) : undefined,
    payloads: hasPayloads
      ? commit.records.flatMap((record) => record.payloads?.map(({ hash, text }) => ({ hash, text })) ?? [])
      : undefined,
    row: commit.row,
    extras: extrasOf(commit),
  };
}

function linesOf(records: readonly RecordBody[]): string {
  let lines = "";
  for (const record of records) {
    if (lines !== "") lines += "\n";
    // A line break in JSON stands between values, never in them. Offsets of payloads come from `encodeRecord`, which makes none.
    lines += record.text.includes("\n") ? record.text.replaceAll("\n", " ") : record.text;
  }
  return lines;
}

function placesOf(records: readonly RecordBody[]): string {
  return JSON.stringify(records.flatMap((record, index) => record.payloads?.map(({ offset, hash }) => [index, offset, hash]) ?? []));
}

function extrasOf(commit: RunCommit): PlannedExtras | undefined {
  const { snapshot, events, subscribe, unsubscribe, acquire, release, send, take } = commit;
  const count = events.length + subscribe.length + unsubscribe.length + acquire.length + release.length + send.length + take.length;
  return count === 0 && snapshot === undefined ? undefined : { snapshot, events, subscribe, unsubscribe, acquire, release, send, take };
}

function answerOf(isCommitted: readonly boolean[], committed: readonly CommittedRun[]): CommitResult {
  let next = 0;
  const verdicts = isCommitted.map((wasCommitted): RunVerdict => {
    if (!wasCommitted) return CONFLICT;
    const run = committed[next];
    next += 1;
    if (run === undefined) throw new Error("Invariant broken: the transaction answers for every run it was given");
    if (run === NOTHING_MORE) return COMMITTED;
    return { verdict: "committed", slots: run.slots, eventPositions: run.eventPositions, messages: run.messages };
  });
  return { verdicts };
}
