import type { RunRowChange } from "@tutti/store";
import { type CommittedRun, NOTHING_MORE, type PlannedRun, type WriteJob, type WriteResult } from "./write-job.ts";

/**
 * A job on its way to the worker. Copying one object per run between threads costs 3 µs each, columns a tenth of that (measured, batches of
 * 200 runs), and most runs of a batch do nothing but append records. One object per row costs 7 µs, a list of its values 2.
 */
export type PackedJob = Exclude<WriteJob, { readonly kind: "commit" }> | PackedCommit;
/** Its result on the way back: most runs of a batch have none but that they are stored. */
export type PackedResult = Exclude<WriteResult, { readonly kind: "commit" }> | PackedCommitResult;

interface PackedCommit {
  readonly kind: "packed-commit";
  /** One element per run, in the order of the batch. */
  readonly runKeys: Float64Array;
  readonly seqFirst: Float64Array;
  readonly seqLast: Float64Array;
  readonly bodies: readonly string[];
  /** Of runs that change their row and need nothing else. */
  readonly rows: readonly PackedRow[];
  /** Runs that need more than records and a row, by their place in the batch. */
  readonly more: ReadonlyMap<number, PlannedRun>;
}

/** The values of a row, after the run's place in the batch. */
type PackedRow = readonly [
  index: number,
  isNew: boolean,
  runId: string,
  tenant: string,
  status: RunRowChange["status"],
  namespace: string,
  name: string,
  version: string,
  digest: string,
  labels: RunRowChange["labels"],
  parentRunId: string | undefined,
  startedAtMs: number,
  updatedAtMs: number,
  endedAtMs: number | undefined,
  wakeAtMs: number | undefined,
  isOutstanding: boolean,
  inDoubt: number,
  errorType: string | undefined,
  reason: string | undefined,
];

interface PackedCommitResult {
  readonly kind: "packed-commit";
  readonly runs: number;
  /** By place in the batch. */
  readonly more: ReadonlyMap<number, CommittedRun>;
}

export function packJobs(jobs: readonly WriteJob[]): readonly PackedJob[] {
  return jobs.map((job) => (job.kind === "commit" ? packCommit(job.runs) : job));
}

export function unpackJobs(jobs: readonly PackedJob[]): readonly WriteJob[] {
  return jobs.map((job) => (job.kind === "packed-commit" ? { kind: "commit", runs: unpackCommit(job) } : job));
}

export function packResults(results: readonly WriteResult[]): readonly PackedResult[] {
  return results.map((result): PackedResult => {
    if (result.kind !== "commit") return result;
    const more = new Map<number, CommittedRun>();
    for (const [index, run] of result.runs.entries()) if (run !== NOTHING_MORE) more.set(index, run);
    return { kind: "packed-commit", runs: result.runs.length, more };
  });
}

export function unpackResults(results: readonly PackedResult[]): readonly WriteResult[] {
  return results.map((result): WriteResult => {
    if (result.kind !== "packed-commit") return result;
    return { kind: "commit", runs: Array.from({ length: result.runs }, (_, index) => result.more.get(index) ?? NOTHING_MORE) };
  });
}

function packCommit(runs: readonly PlannedRun[]): PackedCommit {
  const runKeys = new Float64Array(runs.length);
  const seqFirst = new Float64Array(runs.length);
  const seqLast = new Float64Array(runs.length);
  const bodies: string[] = [];
  const rows: PackedRow[] = [];
  const more = new Map<number, PlannedRun>();
  for (const [index, run] of runs.entries()) {
    const isPlain = run.payloads === undefined && run.extras === undefined && (run.row !== undefined || !run.isNew);
    if (isPlain) {
      runKeys[index] = run.runKey;
      seqFirst[index] = run.seqFirst;
      seqLast[index] = run.seqLast;
      if (run.row !== undefined) rows.push(packRow(index, run, run.row));
    } else more.set(index, run);
    bodies.push(isPlain ? run.body : "");
  }
  return { kind: "packed-commit", runKeys, seqFirst, seqLast, bodies, rows, more };
}

function unpackCommit(job: PackedCommit): readonly PlannedRun[] {
  const runs = job.bodies.map(
    (body, index): PlannedRun =>
      job.more.get(index) ?? {
        // The columns are as long as `bodies`.
        runKey: job.runKeys[index] as number,
        // Only rows and what goes with them name the run.
        runId: "",
        isNew: false,
        seqFirst: job.seqFirst[index] as number,
        seqLast: job.seqLast[index] as number,
        body,
        payloadPlaces: undefined,
        payloads: undefined,
        row: undefined,
        extras: undefined,
      },
  );
  for (const packed of job.rows) {
    const [index, isNew, runId] = packed;
    // Named by `packCommit`.
    runs[index] = { ...(runs[index] as PlannedRun), isNew, runId, row: unpackRow(packed) };
  }
  return runs;
}

function packRow(index: number, run: PlannedRun, row: RunRowChange): PackedRow {
  return [
    index,
    run.isNew,
    run.runId,
    row.tenant,
    row.status,
    row.namespace,
    row.name,
    row.version,
    row.digest,
    row.labels,
    row.parentRunId,
    row.startedAtMs,
    row.updatedAtMs,
    row.endedAtMs,
    row.wakeAtMs,
    row.isOutstanding,
    row.inDoubt,
    row.errorType,
    row.reason,
  ];
}

function unpackRow(packed: PackedRow): RunRowChange {
  const [, , , tenant, status, namespace, name, version, digest, labels, parentRunId, startedAtMs, updatedAtMs, ...rest] = packed;
  const [endedAtMs, wakeAtMs, isOutstanding, inDoubt, errorType, reason] = rest;
  const fixed = { tenant, namespace, name, version, digest, labels, parentRunId, startedAtMs };
  return { ...fixed, status, updatedAtMs, endedAtMs, wakeAtMs, isOutstanding, inDoubt, errorType, reason };
}
