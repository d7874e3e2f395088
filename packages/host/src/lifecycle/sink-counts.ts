/** What became of lifecycle events. `refused`: the sink can't take this one; `lost`: the run was deleted, or its records do not replay. */
export const SINK_OUTCOMES = ["delivered", "refused", "lost"] as const;
export type SinkOutcome = (typeof SINK_OUTCOMES)[number];

/** Counts events, over all sinks; of `lost` commits whose events nobody can tell any more. */
export class SinkCounts {
  readonly events: Record<SinkOutcome, number> = { delivered: 0, refused: 0, lost: 0 };
  /** Asked when somebody looks: commits that the sink that is furthest behind has not told yet. */
  behind: () => Promise<number> = async () => 0;
}
