/** What Tutti tells of itself to Prometheus: the only list of names. The reference page is generated from it. */
export interface MetricDefinition {
  readonly kind: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly labels: readonly string[];
}

/**
 * Names by Prometheus' conventions: base units, `_total` for counters. A name never changes its meaning. No label has more values than a
 * person can look at: neither ids nor anything that workflows compute.
 */
export const METRICS = {
  tutti_info: { kind: "gauge", help: "1, with the version of Tutti and of Node.", labels: ["version", "node"] },
  tutti_runs: { kind: "gauge", help: "Runs that are stored, by how they stand.", labels: ["status"] },
  tutti_in_doubt_tasks: { kind: "gauge", help: "Effects in doubt, which wait for a person's word.", labels: [] },
  tutti_runs_started_total: { kind: "counter", help: "Runs started, children too.", labels: ["workflow"] },
  tutti_runs_ended_total: {
    kind: "counter",
    help: "Times that a run came to completed, cancelled, faulted or quarantined. One that is resumed may come there again.",
    labels: ["workflow", "status"],
  },
  tutti_attempts_total: {
    kind: "counter",
    help: "Attempts of calls that ended, by the class of their effect; a step is one that completed.",
    labels: ["effect", "outcome"],
  },
  tutti_look_ups_total: { kind: "counter", help: "Look-ups of effects whose outcome was unknown.", labels: ["outcome"] },
  tutti_records_total: { kind: "counter", help: "Records stored.", labels: [] },
  tutti_commit_duration_seconds: { kind: "histogram", help: "Time from sending a batch to the store until it is synced.", labels: [] },
  tutti_commit_runs: { kind: "histogram", help: "Runs whose records share one commit.", labels: [] },
  tutti_commit_failures_total: {
    kind: "counter",
    help: "Commits that failed: `full` wrote nothing and are tried again, after `unknown` the runs are loaded again.",
    labels: ["kind"],
  },
  tutti_store_operation_duration_seconds: { kind: "histogram", help: "Time that the store took for an operation.", labels: ["operation"] },
  tutti_loaded_runs: { kind: "gauge", help: "Runs in memory; all others are parked or at rest in the store.", labels: [] },
  tutti_attempts_in_flight: { kind: "gauge", help: "Attempts and look-ups under way or queued.", labels: [] },
  tutti_runs_to_commit: { kind: "gauge", help: "Runs that moved and wait for the next commit.", labels: [] },
  tutti_timers: { kind: "gauge", help: "Timers of runs in memory.", labels: [] },
  tutti_timer_lateness_seconds: { kind: "histogram", help: "How late timers fired.", labels: [] },
  tutti_events_accepted_total: { kind: "counter", help: "Events accepted into the inbox, from outside and from runs.", labels: [] },
  tutti_events_duplicate_total: { kind: "counter", help: "Events from outside that had been accepted before.", labels: [] },
  tutti_events_unmatched_total: {
    kind: "counter",
    help: "Events that no listening task took when they were handed out. A schedule, or a task that listens later, may still take one.",
    labels: [],
  },
  tutti_schedule_misfires_total: { kind: "counter", help: "Times that instants of a schedule had been missed.", labels: [] },
  tutti_reports_total: { kind: "counter", help: "Failures that no run can be blamed for; the log has them.", labels: [] },
  tutti_traces_exported_total: { kind: "counter", help: "Traces of runs that the collector took.", labels: [] },
  tutti_traces_dropped_total: {
    kind: "counter",
    help: "Traces of runs that were left out, by why: the collector refused them or was away too long, or more runs ended than could be derived.",
    labels: ["reason"],
  },
  tutti_lifecycle_events_total: {
    kind: "counter",
    help: "Lifecycle events that sinks took (`delivered`), will never take (`refused`), or that can't be told any more (`lost`, by commits).",
    labels: ["outcome"],
  },
  tutti_lifecycle_commits_behind: {
    kind: "gauge",
    help: "Commits that the sink that is furthest behind has not been told of, at most.",
    labels: [],
  },
  tutti_event_loop_lag_seconds: {
    kind: "gauge",
    help: "How late the event loop was since the last look, by quantile and the longest.",
    labels: ["stat"],
  },
  process_cpu_seconds_total: { kind: "counter", help: "User and system CPU time of the process.", labels: [] },
  process_resident_memory_bytes: { kind: "gauge", help: "Resident memory of the process.", labels: [] },
  process_open_fds: { kind: "gauge", help: "Open file descriptors of the process.", labels: [] },
  process_start_time_seconds: { kind: "gauge", help: "When the process started, in seconds since 1970 UTC.", labels: [] },
  nodejs_heap_size_used_bytes: { kind: "gauge", help: "JavaScript heap in use.", labels: [] },
} as const satisfies Readonly<Record<string, MetricDefinition>>;

export type MetricName = keyof typeof METRICS;
