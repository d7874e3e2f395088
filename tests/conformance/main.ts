// Measures Tutti against what others wrote: the specification's kit, examples and schema, our linter's list, jq's own suite; and against our own.
//
//   npm run conformance                    everything; each exception and note with `--verbose`
//   npm run conformance -- ctk jq          these only
//   npm run conformance -- suite --case flow/switch:first-match     one case, one table or one file of our own suite
//   npm run conformance -- suite --store memory     on one store only
//   npm run conformance -- examples --case fork.yaml     one example of the specification
//
// The material of others is no part of this repository: TUTTI_CONFORMANCE_DIR says where it lies (default ../shared/conformance).
import { existsSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { writeReport } from "../../scripts/check/report.ts";
import { runCtk } from "./ctk.ts";
import { playExamples, runExamples } from "./examples.ts";
import { runJqConformance } from "./jq.ts";
import { runLinterList } from "./linter.ts";
import { conformanceDir } from "./material.ts";
import { type ConformanceResult, skipped } from "./result.ts";
import { MUTATIONS_DEFAULT, runSchemaAgreement } from "./schema-agreement.ts";
import { runSuite } from "./suite.ts";

/** The share of jq's usable cases that has to pass; each case that does not is listed with its reason. */
const JQ_SHARE_MIN = 0.99;
const SEED_DEFAULT = 1;

/** They are linted, and they are run: who asks for the examples gets both. */
const EXAMPLES_RUN = "examples-run";

interface Wanted {
  readonly seed: number;
  /** Cases of our own suite, or examples; none means all. */
  readonly cases: readonly string[];
  /** Stores that our own suite runs on; undefined means both. */
  readonly stores: readonly string[] | undefined;
}
type Part = (dir: string, wanted: Wanted) => Promise<ConformanceResult>;

const PARTS: Readonly<Record<string, Part>> = {
  ctk: runCtk,
  examples: (dir) => Promise.resolve(runExamples(dir)),
  [EXAMPLES_RUN]: (dir, { cases }) => playExamples(dir, cases),
  "schema-agreement": (dir, { seed }) => runSchemaAgreement(dir, { mutations: MUTATIONS_DEFAULT, seed }),
  linter: () => Promise.resolve(runLinterList()),
  jq: runJq,
  suite: (_, { cases, stores }) => runSuite(cases, stores),
};

process.exitCode = await main();

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: {
      verbose: { type: "boolean", default: false },
      seed: { type: "string", default: String(SEED_DEFAULT) },
      case: { type: "string", multiple: true, default: [] },
      store: { type: "string", multiple: true },
    },
    allowPositionals: true,
  });
  const unknown = positionals.filter((name) => !Object.hasOwn(PARTS, name));
  if (unknown.length > 0) {
    process.stderr.write(`There is no part ${unknown.join(", ")}. Parts: ${Object.keys(PARTS).join(", ")}.\n`);
    return 2;
  }
  let passed = 0;
  const failures: { name: string; message: string }[] = [];
  const skips: { name: string; reason: string }[] = [];
  for (const [name, part] of Object.entries(PARTS)) {
    if (positionals.length > 0 && !positionals.includes(name) && !(name === EXAMPLES_RUN && positionals.includes("examples"))) continue;
    const result = await carryOut(part, { seed: Number(values.seed), cases: values.case, stores: values.store });
    process.stdout.write(`${name} ${result.passed}/${result.total}\n`);
    for (const failure of result.failures) process.stdout.write(`  FAILED ${failure}\n`);
    if (values.verbose || result.total === 0) for (const note of result.notes) process.stdout.write(`  ${note}\n`);
    passed += result.passed;
    for (const failure of result.failures) failures.push({ name, message: failure });
    if (result.total === 0 && result.failures.length === 0) skips.push({ name, reason: result.notes.join("; ") });
  }
  writeReport({ passed, failures, skips });
  return failures.length === 0 ? 0 : 1;
}

async function carryOut(part: Part, wanted: Wanted): Promise<ConformanceResult> {
  try {
    return await part(conformanceDir(), wanted);
  } catch (error) {
    return { passed: 0, total: 0, failures: [error instanceof Error ? (error.stack ?? error.message) : String(error)], notes: [] };
  }
}

/** jq's suite; a case that is listed as an exception is no failure, as long as the share holds. */
async function runJq(dir: string): Promise<ConformanceResult> {
  const folder = join(dir, "jq");
  if (!existsSync(folder)) return skipped(`there is no ${folder} (set TUTTI_CONFORMANCE_DIR)`);
  const { passed, total, exceptions, failures } = await runJqConformance(folder);
  const share = passed / total;
  const tooFew = share < JQ_SHARE_MIN ? [`only ${(share * 100).toFixed(2)} % of the usable cases pass`] : [];
  return { passed, total, failures: [...failures, ...tooFew], notes: exceptions.map(({ name, reason }) => `exception ${name}: ${reason}`) };
}
