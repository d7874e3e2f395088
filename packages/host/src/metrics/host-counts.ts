import { SinkCounts } from "../lifecycle/sink-counts.ts";
import { TraceCounts } from "../traces/trace-counts.ts";

/** What the host itself counts: plain numbers, read by whoever shows them. */
export class HostCounts {
  /** Failures that no run can be blamed for. */
  reports = 0;
  readonly traces = new TraceCounts();
  readonly sinks = new SinkCounts();
}
