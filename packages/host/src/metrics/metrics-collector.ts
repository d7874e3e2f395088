import { readdirSync } from "node:fs";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { DEFAULT_TENANT } from "@tutti/model";
import { ATTEMPT_OUTCOMES, EFFECT_CLASSES, LOOK_UP_OUTCOMES, type Runtime, type RuntimeMetrics } from "@tutti/runtime";
import type { RunCounts, Store } from "@tutti/store";
import { SINK_OUTCOMES } from "../lifecycle/sink-counts.ts";
import { TRACE_DROP_REASONS } from "../traces/trace-counts.ts";
import { TUTTI_VERSION } from "../version.ts";
import { Exposition } from "./exposition.ts";
import type { HostCounts } from "./host-counts.ts";
import type { StoreTimes } from "./store-times.ts";

/** Counting a million runs takes a thread a tenth of a second; however often somebody looks, it is done no more than this often. */
const COUNT_EVERY_MS = 10_000;
const LOOP_RESOLUTION_MS = 20;
const QUANTILES = [0.5, 0.9, 0.99] as const;
const SECOND_NS = 1e9;
const MICROSECONDS = 1e6;

export interface CollectorDeps {
  readonly runtime: Pick<Runtime, "gauges">;
  readonly metrics: RuntimeMetrics;
  readonly store: Pick<Store, "countRuns">;
  readonly storeTimes: StoreTimes;
  readonly counts: HostCounts;
}

/** Reads all metrics into one text. Looks at the event loop from `start` to `stop`. */
export class MetricsCollector {
  readonly #deps: CollectorDeps;
  #loop: ReturnType<typeof monitorEventLoopDelay> | undefined;
  #counted: { readonly counts: RunCounts; readonly atMs: number } | undefined;

  constructor(deps: CollectorDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#loop ??= monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
    this.#loop.enable();
  }

  stop(): void {
    this.#loop?.disable();
    this.#loop = undefined;
  }

  async collect(): Promise<string> {
    const page = new Exposition();
    page.add("tutti_info", 1, { version: TUTTI_VERSION, node: process.versions.node });
    await this.#addRuns(page);
    this.#addRuntime(page);
    this.#addGauges(page);
    for (const [operation, times] of this.#deps.storeTimes.byOperation)
      page.histogram("tutti_store_operation_duration_seconds", times, { operation });
    const { counts } = this.#deps;
    page.add("tutti_reports_total", counts.reports);
    page.add("tutti_traces_exported_total", counts.traces.exported);
    for (const reason of TRACE_DROP_REASONS) page.add("tutti_traces_dropped_total", counts.traces.dropped[reason], { reason });
    for (const outcome of SINK_OUTCOMES) page.add("tutti_lifecycle_events_total", counts.sinks.events[outcome], { outcome });
    page.add("tutti_lifecycle_commits_behind", await counts.sinks.behind());
    this.#addProcess(page);
    return page.toString();
  }

  async #addRuns(page: Exposition): Promise<void> {
    const now = performance.now();
    if (this.#counted === undefined || now - this.#counted.atMs > COUNT_EVERY_MS)
      this.#counted = { counts: await this.#deps.store.countRuns(DEFAULT_TENANT), atMs: now };
    const { byStatus, inDoubt } = this.#counted.counts;
    for (const [status, count] of Object.entries(byStatus)) page.add("tutti_runs", count, { status });
    page.add("tutti_in_doubt_tasks", inDoubt);
  }

  #addRuntime(page: Exposition): void {
    const { metrics } = this.#deps;
    for (const [workflow, count] of metrics.runsStarted) page.add("tutti_runs_started_total", count, { workflow });
    for (const [workflow, byStatus] of metrics.runsEnded)
      for (const [status, count] of byStatus) page.add("tutti_runs_ended_total", count, { workflow, status });
    for (const effect of EFFECT_CLASSES)
      for (const outcome of ATTEMPT_OUTCOMES) page.add("tutti_attempts_total", metrics.attempts[effect][outcome], { effect, outcome });
    for (const outcome of LOOK_UP_OUTCOMES) page.add("tutti_look_ups_total", metrics.lookUps[outcome], { outcome });
    page.add("tutti_records_total", metrics.records);
    page.histogram("tutti_commit_duration_seconds", metrics.commitSeconds);
    page.histogram("tutti_commit_runs", metrics.commitRuns);
    page.add("tutti_commit_failures_total", metrics.commitsRefused, { kind: "full" });
    page.add("tutti_commit_failures_total", metrics.commitsFailed, { kind: "unknown" });
    page.histogram("tutti_timer_lateness_seconds", metrics.timersLateSeconds);
    page.add("tutti_events_accepted_total", metrics.eventsAccepted);
    page.add("tutti_events_duplicate_total", metrics.eventsDuplicate);
    page.add("tutti_events_unmatched_total", metrics.eventsUnmatched);
    page.add("tutti_schedule_misfires_total", metrics.scheduleMisfires);
  }

  #addGauges(page: Exposition): void {
    const gauges = this.#deps.runtime.gauges();
    page.add("tutti_loaded_runs", gauges?.loadedRuns);
    page.add("tutti_attempts_in_flight", gauges?.attemptsInFlight);
    page.add("tutti_runs_to_commit", gauges?.runsToCommit);
    page.add("tutti_timers", gauges?.timers);
  }

  #addProcess(page: Exposition): void {
    const loop = this.#loop;
    if (loop !== undefined) {
      for (const quantile of QUANTILES)
        page.add("tutti_event_loop_lag_seconds", loop.percentile(quantile * 100) / SECOND_NS, { stat: `p${quantile * 100}` });
      page.add("tutti_event_loop_lag_seconds", loop.max / SECOND_NS, { stat: "max" });
      loop.reset();
    }
    const { user, system } = process.cpuUsage();
    page.add("process_cpu_seconds_total", (user + system) / MICROSECONDS);
    const memory = process.memoryUsage();
    page.add("process_resident_memory_bytes", memory.rss);
    page.add("process_open_fds", openFiles());
    page.add("process_start_time_seconds", performance.timeOrigin / 1000);
    page.add("nodejs_heap_size_used_bytes", memory.heapUsed);
  }
}

/** Undefined where there is no /proc. */
function openFiles(): number | undefined {
  try {
    return readdirSync("/proc/self/fd").length;
  } catch {
    return undefined;
  }
}
