import { compile } from "@tutti/expression";
import type { Json } from "@tutti/model";

/** The median time of one evaluation of a compiled program. */
export interface ExpressionMeasurement {
  readonly source: string;
  readonly medianNs: number;
}

const INPUT: Json = {
  a: { b: 1 },
  colors: ["green"],
  b: 2,
  items: Array.from({ length: 10 }, (_, index) => ({ id: index, name: `item ${index}`, price: index * 1.5 })),
  name: "web-01.example.org",
  status: 200,
};
const VARIABLES = ["context", "input", "task"];
const SLOTS: readonly Json[] = [{ region: "eu" }, INPUT, { name: "create" }];

// What workflow documents are full of: reads, conditions, small reshapings.
const SOURCES = [
  ".a.b",
  "$context.region",
  '.colors + ["red"]',
  ".items[0]",
  "{a: .b, c: ($input | length)}",
  ".status >= 200 and .status < 300",
  '"https://\\(.name)/v1/\\(.b)"',
  "if .b > 1 then .a else .colors end",
  ".a.c // 5",
  ".a.b += 1",
  ".items | map(.name)",
  "[.items[] | select(.price > 6) | .id]",
  "reduce .items[] as $item (0; . + $item.price)",
  '.name | test("^web-[0-9]+")',
];

// Long enough that the clock's step does not show, short enough that a pause of the machine spoils few rounds.
const ROUND_EVALUATIONS = 2_000;
const ROUNDS = 51;

/** Measures small programs and prints a line for each. The goal is a median of 5 µs at most. */
export function measureExpressions(): readonly ExpressionMeasurement[] {
  const measurements = SOURCES.map(measure);
  for (const { source, medianNs } of measurements) process.stdout.write(`${(medianNs / 1_000).toFixed(2).padStart(7)} µs  ${source}\n`);
  return measurements;
}

function measure(source: string): ExpressionMeasurement {
  const program = compile(source, { variables: VARIABLES });
  const rounds = Array.from({ length: ROUNDS }, () => {
    const start = performance.now();
    for (let count = 0; count < ROUND_EVALUATIONS; count++) program.first(INPUT, SLOTS);
    return ((performance.now() - start) * 1e6) / ROUND_EVALUATIONS;
  });
  return { source, medianNs: rounds.toSorted((left, right) => left - right)[ROUNDS >> 1] as number };
}

if (import.meta.main) measureExpressions();
