import type { Histogram } from "@tutti/runtime";
import { METRICS, type MetricDefinition, type MetricName } from "./metric-catalogue.ts";

/** https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format */
export const EXPOSITION_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** A value for each label of the metric, none for others. */
type LabelsOf<Name extends MetricName> = Readonly<Record<(typeof METRICS)[Name]["labels"][number], string>>;
type Given<Name extends MetricName> = (typeof METRICS)[Name]["labels"] extends readonly [] ? [] : [labels: LabelsOf<Name>];
type Labels = Readonly<Record<string, string>>;

/** Gathers samples and writes them in Prometheus' text format, families in the order of the catalogue. */
export class Exposition {
  readonly #samples = new Map<MetricName, string[]>();

  /** A counter's or a gauge's sample. Left out when there is no value. */
  add<Name extends MetricName>(name: Name, value: number | undefined, ...given: Given<Name>): void {
    const labels: Labels = given[0] ?? {};
    if (value !== undefined) this.#put(name, `${name}${labelsText(name, labels)} ${valueText(value)}`);
  }

  histogram<Name extends MetricName>(name: Name, histogram: Histogram, ...given: Given<Name>): void {
    const labels: Labels = given[0] ?? {};
    let count = 0;
    histogram.counts.forEach((inBucket, index) => {
      count += inBucket;
      const bound = histogram.bounds[index];
      const le = bound === undefined ? "+Inf" : valueText(bound);
      this.#put(name, `${name}_bucket${labelsText(name, labels, le)} ${count}`);
    });
    this.#put(name, `${name}_sum${labelsText(name, labels)} ${valueText(histogram.sum)}`);
    this.#put(name, `${name}_count${labelsText(name, labels)} ${count}`);
  }

  toString(): string {
    let text = "";
    // The catalogue is a plain object of ours.
    for (const [name, { kind, help }] of Object.entries(METRICS) as [MetricName, MetricDefinition][]) {
      const samples = this.#samples.get(name);
      if (samples === undefined) continue;
      text += `# HELP ${name} ${help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}\n# TYPE ${name} ${kind}\n${samples.join("\n")}\n`;
    }
    return text;
  }

  #put(name: MetricName, line: string): void {
    const samples = this.#samples.get(name);
    if (samples === undefined) this.#samples.set(name, [line]);
    else samples.push(line);
  }
}

function labelsText(name: MetricName, labels: Labels, le?: string): string {
  const definition: MetricDefinition = METRICS[name];
  const pairs = definition.labels.map((label) => `${label}="${escapeLabel(labels[label] ?? "")}"`);
  if (le !== undefined) pairs.push(`le="${le}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escapeLabel(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

function valueText(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
}
