// Writes the reference pages that follow from the code; with `--check`, only says whether they are up to date.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ERROR_CATALOGUE, type ErrorSpecies } from "@tutti/model";
import { badInputPage } from "../tests/bad-input/page.ts";
import { examplesPage } from "../tests/conformance/examples/page.ts";
import { connectorsPage } from "./connectors-page.ts";
import { LOG_EVENTS, LOG_FIELDS, METRICS, type MetricDefinition } from "@tutti/host";
import { readLedger } from "./proof/ledger.ts";
import { withSums } from "./proof/page.ts";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const PAGES: readonly { readonly file: string; readonly render: (present: string) => string | Promise<string> }[] = [
  { file: "docs/connectors.md", render: connectorsPage },
  { file: "docs/reference/errors.md", render: errorsPage },
  { file: "docs/reference/examples.md", render: examplesPage },
  { file: "docs/reference/logs.md", render: logsPage },
  { file: "docs/reference/metrics.md", render: metricsPage },
  { file: "docs/proof.md", render: (page) => withSums(page, readLedger(join(root, "docs/proof.json"))) },
  { file: "docs/bad-input.md", render: badInputPage },
];

const MEANING: Readonly<Record<ErrorSpecies, string>> = {
  usage: "the request itself is wrong",
  "not-found": "the thing named is not there",
  conflict: "the state of things does not allow it now",
  refused: "understood, and refused",
  unreachable: "something that is needed does not answer",
  "timed-out": "waiting ended before the thing waited for",
  exhausted: "a resource has run out",
  damaged: "what is stored does not hold together",
  internal: "the outcome is unknown; nothing was lost",
};

const isCheck = process.argv.includes("--check");
for (const page of PAGES) {
  const path = join(root, page.file);
  const present = existsSync(path) ? readFileSync(path, "utf8") : undefined;
  const wanted = await page.render(present ?? "");
  if (wanted === present) continue;
  if (isCheck) {
    process.stderr.write(`${page.file} is not up to date: run \`npm run generate\`.\n`);
    process.exitCode = 1;
  } else {
    writeFileSync(path, wanted);
    process.stdout.write(`${page.file} written.\n`);
  }
}

function errorsPage(): string {
  const rows = Object.entries(ERROR_CATALOGUE).map(([code, entry]) => `| \`${code}\` | ${entry.kind} | ${entry.hint} |`);
  const species = Object.entries(MEANING).map(([kind, meaning]) => `| ${kind} | ${meaning} |`);
  return [
    "# Errors",
    "",
    "Generated from `packages/model/src/error-catalogue.ts` by `npm run generate`; change it there.",
    "",
    "Every error that Tutti raises on purpose has one of these codes. A code never changes its meaning. The command line prints the code, what",
    "happened, and the way out; with `--json` the same as an object.",
    "",
    "| code | kind | way out |",
    "| --- | --- | --- |",
    ...rows,
    "",
    "| kind | meaning |",
    "| --- | --- |",
    ...species,
    "",
  ].join("\n");
}

function metricsPage(): string {
  const rows = (Object.entries(METRICS) as [string, MetricDefinition][]).map(
    ([name, { kind, labels, help }]) => `| \`${name}\` | ${kind} | ${labels.map((label) => `\`${label}\``).join(", ")} | ${help} |`,
  );
  return [
    "# Metrics",
    "",
    "Generated from `packages/host/src/metrics/metric-catalogue.ts` by `npm run generate`; change it there.",
    "",
    "`tutti up --metrics 127.0.0.1:9464`, or `metrics: { listen: '127.0.0.1:9464' }` in `settings.yaml`, serves Prometheus' text format (0.0.4) at",
    "`GET /metrics`. Without either nothing is served. There is no password: whoever reaches the address reads the metrics, so name another address",
    "than loopback only on a network that is yours. Counters begin at 0 with each process.",
    "",
    "Metrics hold numbers, statuses and names of workflows: no ids, no inputs, no outputs, no texts of errors. The first 100 workflows that a",
    "process meets are counted by name, all others as `other`. How many runs there are is counted at most every 10 seconds.",
    "",
    "| name | kind | labels | what |",
    "| --- | --- | --- | --- |",
    ...rows,
    "",
  ].join("\n");
}

function logsPage(): string {
  return [
    "# The log of `tutti up`",
    "",
    "Generated from `packages/host/src/log/log-catalogue.ts` by `npm run generate`; change it there.",
    "",
    "`tutti up --log-format json` (or `TUTTI_LOG_FORMAT=json`) writes one JSON object a line to standard error for everything that was committed,",
    "`text` the same for people; `--log-level` (`TUTTI_LOG_LEVEL`) is `error`, `warn`, `info` (default) or `debug`. Nothing is told before it is",
    "stored. Lines hold names, numbers and codes: no inputs, outputs or texts of workflows. What the attempts of a run print is not here: `tutti run logs`.",
    "",
    "`--log-file FILE` (`TUTTI_LOG_FILE`) appends the lines to a file instead, made with mode 0600, as JSON unless `--log-format text`; standard error",
    "stays for people. SIGHUP then opens the file anew (after logrotate has moved it) instead of stopping the process. Lines that a full disk does not",
    "take are lost; how many says standard error.",
    "",
    "Every line has `at` (ISO 8601, UTC), `level` and `event`; of the members below those that say something. A member is at most 500 characters long.",
    "",
    "| event | level | what |",
    "| --- | --- | --- |",
    ...Object.entries(LOG_EVENTS).map(([name, { level, what }]) => `| \`${name}\` | ${level} | ${what} |`),
    "",
    "| member | what |",
    "| --- | --- |",
    ...Object.entries(LOG_FIELDS).map(([name, what]) => `| \`${name}\` | ${what} |`),
    "",
  ].join("\n");
}
