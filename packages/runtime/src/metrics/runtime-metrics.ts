import type { EffectClass } from "@tutti/model";
import type { RunStatus } from "@tutti/store";
import type { AttemptHandle } from "../attempt-handle.ts";
import type { LoadedRun, PendingCommit } from "../loaded-run.ts";
import { Histogram } from "./histogram.ts";

/** Workflows that are counted by name, the first ones that are seen; a metric with a line per workflow must not grow without end. */
export const WORKFLOWS_NAMED_MAX = 100;
/** Under which the workflows beyond that are counted together. No workflow has this name: names have a slash. */
export const OTHER_WORKFLOWS = "other";

/** From a tenth of a millisecond, where local disks are, to ten seconds, where something is wrong. */
export const SECONDS_BOUNDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const;
/** To the largest batch. */
const RUNS_BOUNDS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000] as const;
/** A timer is late by the machine's load, or by a downtime of minutes and hours. */
const LATE_BOUNDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30, 60, 600, 3600] as const;

export const EFFECT_CLASSES = ["read", "idempotent", "findable", "unsafe"] as const satisfies readonly EffectClass[];
export const ATTEMPT_OUTCOMES = ["completed", "failed", "unknown"] as const;
export const LOOK_UP_OUTCOMES = ["found", "absent", "failed"] as const;
type AttemptOutcome = (typeof ATTEMPT_OUTCOMES)[number];

/** What a runtime counts since its start: plain numbers, so that a step costs a few increments. Read by whoever shows them. */
export class RuntimeMetrics {
  readonly runsStarted = new Map<string, number>();
  /** By workflow and the status that a run came to; see `ENDS`. */
  readonly runsEnded = new Map<string, Map<RunStatus, number>>();
  readonly attempts: Readonly<Record<EffectClass, Record<AttemptOutcome, number>>> = {
    read: { completed: 0, failed: 0, unknown: 0 },
    idempotent: { completed: 0, failed: 0, unknown: 0 },
    findable: { completed: 0, failed: 0, unknown: 0 },
    unsafe: { completed: 0, failed: 0, unknown: 0 },
  };
  readonly lookUps: Record<(typeof LOOK_UP_OUTCOMES)[number], number> = { found: 0, absent: 0, failed: 0 };
  records = 0;
  readonly commitSeconds = new Histogram(SECONDS_BOUNDS);
  readonly commitRuns = new Histogram(RUNS_BOUNDS);
  commitsFailed = 0;
  commitsRefused = 0;
  readonly timersLateSeconds = new Histogram(LATE_BOUNDS);
  eventsAccepted = 0;
  eventsDuplicate = 0;
  eventsUnmatched = 0;
  scheduleMisfires = 0;
  readonly #names = new Map<string, string>();

  /** A run's part of a commit is stored. Called before the run takes it over. */
  committed(run: LoadedRun, stored: PendingCommit): void {
    this.records += stored.records.length;
    for (const handle of stored.ended) this.#ended(handle);
    if (stored.events !== undefined) this.eventsAccepted += stored.events.length;
    if (stored.row !== undefined) this.#rowChanged(run, stored.row.status);
  }

  /** An attempt of a process that is gone: nobody knows its outcome. */
  abandoned(effect: EffectClass): void {
    this.attempts[effect].unknown += 1;
  }

  #ended({ ending, command }: AttemptHandle): void {
    if (ending?.of === "attempt") {
      // Look-ups have no class of their own.
      if (command.type === "start-attempt") this.attempts[command.effect][ending.outcome.kind] += 1;
    } else if (ending !== undefined) this.lookUps[ending.outcome.kind] += 1;
  }

  #rowChanged(run: LoadedRun, status: RunStatus): void {
    const before = run.isRowStored ? run.storedRow?.status : undefined;
    if (before === status) return;
    const workflow = this.#nameOf(run);
    if (!run.isRowStored) this.runsStarted.set(workflow, (this.runsStarted.get(workflow) ?? 0) + 1);
    if (!ENDS.has(status)) return;
    let byStatus = this.runsEnded.get(workflow);
    if (byStatus === undefined) this.runsEnded.set(workflow, (byStatus = new Map<RunStatus, number>()));
    byStatus.set(status, (byStatus.get(status) ?? 0) + 1);
  }

  #nameOf({ row }: LoadedRun): string {
    const name = `${row.namespace}/${row.name}`;
    const known = this.#names.get(name);
    if (known !== undefined) return known;
    if (this.#names.size >= WORKFLOWS_NAMED_MAX) return OTHER_WORKFLOWS;
    this.#names.set(name, name);
    return name;
  }
}

/** Statuses that a run has come to: it is final, or somebody has to look after it. */
const ENDS: ReadonlySet<RunStatus> = new Set(["completed", "cancelled", "faulted", "quarantined"]);

/** How much of everything there is now. */
export interface RuntimeGauges {
  readonly loadedRuns: number;
  readonly attemptsInFlight: number;
  /** Runs that moved and wait for their commit. */
  readonly runsToCommit: number;
  readonly timers: number;
}
