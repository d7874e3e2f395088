/** What one line of the conformance run says. */
export interface ConformanceResult {
  readonly passed: number;
  readonly total: number;
  /** One text per case that did not pass. */
  readonly failures: readonly string[];
  /** Things to know about the run: exceptions with their reasons, what was skipped. */
  readonly notes: readonly string[];
}

/** A run that could not take place, for a reason that its note gives: nothing passed, and everybody sees it. */
export function skipped(reason: string): ConformanceResult {
  return { passed: 0, total: 0, failures: [], notes: [`skipped: ${reason}`] };
}
