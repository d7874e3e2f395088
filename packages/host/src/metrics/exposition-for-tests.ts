import { METRICS, type MetricDefinition } from "./metric-catalogue.ts";

export interface ParsedSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const HELP = /^# HELP ([a-z_]+) (\S.*)$/;
const TYPE = /^# TYPE ([a-z_]+) (counter|gauge|histogram)$/;
const SAMPLE = /^([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)+)\})? (-?\d+(?:\.\d+)?(?:e[+-]?\d+)?|\+Inf|NaN)$/;

/**
 * Reads Prometheus' text format strictly: each family once, with help and type before its samples, as the catalogue has it; no sample twice;
 * buckets rise and end with the count. @throws Error naming the line.
 */
export function parseExposition(text: string): readonly ParsedSample[] {
  if (!text.endsWith("\n")) throw new Error("the text ends without a new line");
  const samples: ParsedSample[] = [];
  const seen = new Set<string>();
  const families = new Set<string>();
  let family = "";
  for (const line of text.slice(0, -1).split("\n")) {
    const help = HELP.exec(line);
    if (help !== null) {
      family = help[1] as string;
      if (families.has(family)) throw new Error(`twice: ${line}`);
      families.add(family);
      continue;
    }
    const definition = (METRICS as Readonly<Record<string, MetricDefinition>>)[family];
    const type = TYPE.exec(line);
    if (type !== null) {
      if (type[1] !== family || type[2] !== definition?.kind) throw new Error(`wrong type: ${line}`);
      continue;
    }
    const sample = SAMPLE.exec(line);
    if (sample === null || definition === undefined) throw new Error(`not a line of the format: ${line}`);
    const [, name = "", pairs = "", value = ""] = sample;
    if (name !== family && !(definition.kind === "histogram" && /^(?:_bucket|_sum|_count)$/.test(name.slice(family.length))))
      throw new Error(`not of ${family}: ${line}`);
    const labels = Object.fromEntries([...pairs.matchAll(/([a-z_]+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, text]) => [key, text]));
    const expected = [...definition.labels, ...(name.endsWith("_bucket") ? ["le"] : [])];
    if (Object.keys(labels).join(" ") !== expected.join(" ")) throw new Error(`wrong labels: ${line}`);
    const key = line.slice(0, line.lastIndexOf(" "));
    if (seen.has(key)) throw new Error(`twice: ${line}`);
    seen.add(key);
    samples.push({ name, labels, value: value === "+Inf" ? Number.POSITIVE_INFINITY : Number(value) });
  }
  checkBuckets(samples);
  return samples;
}

function checkBuckets(samples: readonly ParsedSample[]): void {
  let before = -1;
  samples.forEach((sample, index) => {
    if (!sample.name.endsWith("_bucket")) return (before = -1);
    if (sample.value < before) throw new Error(`buckets of ${sample.name} fall`);
    before = sample.value;
    if (sample.labels["le"] !== "+Inf") return undefined;
    const count = samples[index + 2];
    if (count?.name !== sample.name.replace(/_bucket$/, "_count") || count.value !== sample.value)
      throw new Error(`${sample.name} does not end with its count`);
    return (before = -1);
  });
}
