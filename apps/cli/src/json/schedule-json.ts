import type { TuttiService } from "@tutti/host";

/** What the service tells of a schedule. */
export type ScheduleView = Awaited<ReturnType<TuttiService["showSchedule"]>>;

/** A schedule as `--json` prints it. */
export function scheduleJson(view: ScheduleView): object {
  return {
    workflow: `${view.namespace}/${view.name}`,
    version: view.version,
    schedule: view.schedule ?? null,
    timezone: view.timezone ?? null,
    misfire: view.misfire,
    overlap: view.overlap,
    enabled: view.isEnabled,
    nextAt: view.nextAtMs === undefined ? null : iso(view.nextAtMs),
    last: view.last === undefined ? null : { at: iso(view.last.atMs), runId: view.last.runId },
    active: view.active,
    waiting: view.waiting,
    openGroups: view.openGroups,
    started: view.started,
    skipped: view.skipped,
    failed: view.failed,
    failure: view.failure === undefined ? null : { at: iso(view.failure.atMs), message: view.failure.message },
  };
}

export function iso(atMs: number): string {
  return new Date(atMs).toISOString();
}
