/** Counts of observations by upper bound, with their sum: what a Prometheus histogram is made of. Bounds rise; the last bucket is +Inf. */
export class Histogram {
  readonly bounds: readonly number[];
  /** Observations per bucket, not summed up; one more than there are bounds. */
  readonly counts: number[];
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = Array.from({ length: bounds.length + 1 }, () => 0);
  }

  observe(value: number): void {
    let index = 0;
    while (index < this.bounds.length && value > (this.bounds[index] as number)) index += 1;
    this.counts[index] = (this.counts[index] ?? 0) + 1;
    this.sum += value;
  }
}
