/** Why a trace was not delivered. `underivable`: its records do not replay. */
export const TRACE_DROP_REASONS = ["queue-full", "underivable", "refused", "unreachable"] as const;
export type TraceDropReason = (typeof TRACE_DROP_REASONS)[number];

/** Counts runs whose traces were delivered, or left out. */
export class TraceCounts {
  exported = 0;
  readonly dropped: Record<TraceDropReason, number> = { "queue-full": 0, underivable: 0, refused: 0, unreachable: 0 };
}
