import { Histogram } from "@tutti/runtime";
import { expect, it } from "vitest";
import { Exposition } from "./exposition.ts";
import { parseExposition } from "./exposition-for-tests.ts";
import { parseListenAddress } from "./listen-address.ts";
import { METRICS, type MetricDefinition } from "./metric-catalogue.ts";

it("writes each family once, with escaped labels and summed buckets", () => {
  const page = new Exposition();
  page.add("tutti_runs_started_total", 2, { workflow: 'a"b\\c\nd' });
  page.add("tutti_runs", 1, { status: "running" });
  page.add("tutti_runs", 3, { status: "waiting" });
  page.add("tutti_timers", undefined);
  const histogram = new Histogram([1, 5]);
  for (const value of [0.5, 1, 3, 100]) histogram.observe(value);
  page.histogram("tutti_commit_runs", histogram);
  const text = page.toString();
  expect(text).toBe(
    [
      "# HELP tutti_runs Runs that are stored, by how they stand.",
      "# TYPE tutti_runs gauge",
      'tutti_runs{status="running"} 1',
      'tutti_runs{status="waiting"} 3',
      "# HELP tutti_runs_started_total Runs started, children too.",
      "# TYPE tutti_runs_started_total counter",
      'tutti_runs_started_total{workflow="a\\"b\\\\c\\nd"} 2',
      "# HELP tutti_commit_runs Runs whose records share one commit.",
      "# TYPE tutti_commit_runs histogram",
      'tutti_commit_runs_bucket{le="1"} 2',
      'tutti_commit_runs_bucket{le="5"} 3',
      'tutti_commit_runs_bucket{le="+Inf"} 4',
      "tutti_commit_runs_sum 104.5",
      "tutti_commit_runs_count 4",
      "",
    ].join("\n"),
  );
  expect(parseExposition(text)).toHaveLength(8);
});

it("the strict reader refuses what is wrong", () => {
  const head = "# HELP tutti_timers x\n# TYPE tutti_timers gauge\n";
  for (const text of [
    "tutti_timers 1\n",
    `${head}tutti_timers{a="b"} 1\n`,
    `${head}tutti_timers 1\ntutti_timers 1\n`,
    `${head}tutti_timers one\n`,
    `${head}tutti_timers 1`,
  ])
    expect(() => parseExposition(text)).toThrow(/twice|format|labels|new line/);
});

it("names follow Prometheus' conventions", () => {
  for (const [name, { kind, help, labels }] of Object.entries(METRICS) as [string, MetricDefinition][]) {
    expect(name).toMatch(/^(?:tutti|process|nodejs)_[a-z_]+$/);
    expect({ name, isTotal: name.endsWith("_total") }).toEqual({ name, isTotal: kind === "counter" });
    expect(name).not.toMatch(/milli|_ms\b|_ms_|minutes|kilo/);
    expect(help).toMatch(/^\S.*\.$/);
    for (const label of labels) expect(label).toMatch(/^[a-z]+$/);
    expect(labels).not.toContain("le");
  }
});

it.each([
  ["127.0.0.1:9464", { host: "127.0.0.1", port: 9464 }],
  [":0", { host: "127.0.0.1", port: 0 }],
  ["[::1]:80", { host: "::1", port: 80 }],
  ["localhost:1", { host: "localhost", port: 1 }],
  ["9464", undefined],
  ["a:b", undefined],
  ["a:99999", undefined],
  ["::1:80", undefined],
])("the address %s", (text, expected) => {
  expect(parseListenAddress(text)).toEqual(expected);
});
