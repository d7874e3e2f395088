// `node scripts/run.mjs tests/histories/record.ts FOLDER`: plays the restart cases on the real runtime, each undisturbed and with the process dying
// at every position of its journal, and adds their histories to tests/histories/FOLDER (named after the month). Files that are there stay as
// they are: a history is evidence of what an engine once wrote.
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ENGINE_VERSION, type FunctionTraits, type RunRecord } from "@tutti/engine";
import type { PinnedReference } from "@tutti/definition";
import { FunctionTable, type Runtime } from "@tutti/runtime";
import { processConnector } from "@tutti/connector-process";
import { createBank } from "@tutti/testkit";
import { RESTART_CASES } from "../restart/cases.ts";
import { everyPosition } from "../restart/positions.ts";
import { runCase } from "../restart/world.ts";
import { contextOf, functionKey, type History, outcomeOf } from "./history.ts";

/** More runs than any case makes. */
const RUNS_MAX = 50;
const RECORDS_MAX = 2_000;
/** A history is read by people; one of a large value tells no more than one of a small value. */
const FILE_CHARACTERS_MAX = 100_000;

const [folder] = process.argv.slice(2);
if (folder === undefined || !/^\d{4}-\d{2}$/.test(folder)) throw new Error("usage: record.ts YYYY-MM");
const directory = join(import.meta.dirname, folder);
mkdirSync(directory, { recursive: true });
const functions = new FunctionTable([createBank().connector, processConnector({})]);
let added = 0;

for (const one of RESTART_CASES) {
  const slug = one.name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
  await runCase(one, "memory", () => false, (runtime) => keep(runtime, one.name, slug));
  await runCase(one, "memory", everyPosition().plan, (runtime) => keep(runtime, `${one.name}; killed at every position`, `${slug}-killed`));
}
process.stdout.write(`${added} histories added to ${directory}\n`);

/** Writes every run that the case has made: the first is the case's own, the others are its children. */
async function keep(runtime: Runtime, about: string, slug: string): Promise<void> {
  const { runs } = await runtime.list({ limit: RUNS_MAX });
  for (const [index, row] of runs.toReversed().entries()) {
    const file = join(directory, `${slug}${index === 0 ? "" : `-${index + 1}`}.json`);
    if (existsSync(file)) continue;
    const { text, references } = await runtime.loadDefinition(row.namespace, row.name, row.version);
    const stored = await runtime.records(row.runId, 1, RECORDS_MAX);
    // What the store gives back is what the engine wrote.
    const records = stored.map(({ record }) => record as unknown as RunRecord);
    // Written by the runtime when it published the document.
    const pinned = references === undefined ? {} : { references: JSON.parse(references) as PinnedReference[] };
    const history = serialize({ about, document: text, ...pinned, records });
    if (history.length > FILE_CHARACTERS_MAX) continue;
    writeFileSync(file, history);
    added += 1;
  }
}

/** One record a line, so that a difference can be read. */
function serialize(given: Pick<History, "about" | "document" | "references" | "records">): string {
  const used: Record<string, FunctionTraits> = {};
  const runtime = { name: "tutti", version: "restart-test", metadata: {} };
  const source = { document: given.document, ...(given.references !== undefined && { references: given.references }) };
  const context = contextOf({ ...source, functions: {}, runtime });
  const expected = outcomeOf(given.records, {
    ...context,
    functions: {
      describe: (name, input) => {
        const traits = functions.describe(name, input);
        if (traits !== undefined) used[functionKey(name, input)] = traits;
        return traits;
      },
    },
  });
  const { records, ...rest } = { about: given.about, engineVersion: ENGINE_VERSION, ...source, functions: used, runtime, expected, records: given.records };
  const lines = records.map((record) => JSON.stringify(record)).join(",\n");
  return `${JSON.stringify(rest, undefined, 1).slice(0, -2)},\n "records": [\n${lines}\n]}\n`;
}
