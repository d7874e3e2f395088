import { AppError } from "@tutti/model";
import { RUN_STATUSES, type RunRow, type RunStatus } from "@tutti/store";
import { runChecksum } from "./commit.ts";

/** The row's columns and its sequence, which is that of its last records: it is not stored twice. */
export const RUN_COLUMNS = `run_key, run_id, tenant, namespace, name, parent_run_id, started_at, start_position, version, digest, labels, status, updated_at,
  ended_at, wake_at, is_outstanding, in_doubt, error_type, reason, crc,
  (select seq_last from record where record.run_key = run.run_key order by seq_first desc limit 1) as seq`;

const STATUSES: ReadonlySet<string> = new Set(RUN_STATUSES);

/** @throws AppError `store-damaged` when the row does not match its checksum. */
export function runRowOf(row: Record<string, unknown>): RunRow {
  const status = String(row["status"]);
  const runId = String(row["run_id"]);
  if (!isStatus(status)) throw rowDamaged(runId);
  const run: RunRow = {
    runId,
    tenant: String(row["tenant"]),
    seq: Number(row["seq"] ?? 0),
    status,
    namespace: String(row["namespace"]),
    name: String(row["name"]),
    version: String(row["version"]),
    digest: String(row["digest"]),
    labels: labelsOf(runId, String(row["labels"])),
    parentRunId: textOf(row["parent_run_id"]),
    startedAtMs: Number(row["started_at"]),
    updatedAtMs: Number(row["updated_at"]),
    endedAtMs: numberOf(row["ended_at"]),
    wakeAtMs: numberOf(row["wake_at"]),
    isOutstanding: row["is_outstanding"] === 1,
    inDoubt: Number(row["in_doubt"]),
    errorType: textOf(row["error_type"]),
    reason: textOf(row["reason"]),
    startPosition: Number(row["start_position"]),
  };
  const { tenant, namespace, name, startPosition } = run;
  const fixed = { runId, tenant, namespace, name, parentRunId: run.parentRunId ?? null, startedAt: run.startedAtMs, startPosition };
  if (runChecksum(fixed, run) !== row["crc"]) throw rowDamaged(runId);
  return run;
}

function labelsOf(runId: string, text: string): Readonly<Record<string, string>> {
  try {
    // Written from such a record; the checksum is compared right after.
    return JSON.parse(text) as Readonly<Record<string, string>>;
  } catch {
    throw rowDamaged(runId);
  }
}

function rowDamaged(runId: string): AppError {
  return new AppError("store-damaged", `The row of run ${runId} does not match its checksum.`, { details: { runId } });
}

function isStatus(text: string): text is RunStatus {
  return STATUSES.has(text);
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function numberOf(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined;
}
