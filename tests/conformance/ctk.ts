import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { AstBuilder, GherkinClassicTokenMatcher, Parser } from "@cucumber/gherkin";
import { type FeatureChild, IdGenerator, type Scenario, type Step } from "@cucumber/messages";
import { httpConnector } from "@tutti/connector-http";
import { parseDocument } from "@tutti/definition";
import type { Json } from "@tutti/model";
import { createRuntime, type Runtime } from "@tutti/runtime";
import { createMemoryStore, MemoryDisk } from "@tutti/store";
import { type StandIn, startStandIn } from "@tutti/testkit";
import { createTestEnv } from "./ctk-env.ts";
import { checkOutcome, type Execution } from "./ctk-steps.ts";
import { specificationDir } from "./material.ts";
import { type ConformanceResult, skipped } from "./result.ts";

/** A scenario that has not come to rest by then never will: the kit has no waiting in it. */
const SCENARIO_MS = 120_000;

/**
 * The specification's conformance kit: each scenario runs through the real engine and runtime on the in-memory store. The public hosts it
 * calls are played by a local server.
 */
export async function runCtk(dir: string): Promise<ConformanceResult> {
  const specification = specificationDir(dir);
  if (specification === undefined) return skipped(`there is no ${dir}/serverless-workflow (set TUTTI_CONFORMANCE_DIR)`);
  const standIn = await startStandIn();
  const failures: string[] = [];
  let total = 0;
  try {
    for (const { feature, scenario } of readScenarios(join(specification, "ctk/features"))) {
      total += 1;
      const problem = await runScenario(scenario, standIn);
      if (problem !== undefined) failures.push(`${feature}: ${scenario.name}: ${problem}`);
    }
  } finally {
    await standIn.stop();
  }
  return { passed: total - failures.length, total, failures, notes: [] };
}

interface FeatureScenario {
  readonly feature: string;
  readonly scenario: Scenario;
}

function readScenarios(folder: string): readonly FeatureScenario[] {
  const files = readdirSync(folder).filter((name) => name.endsWith(".feature"));
  return files.toSorted().flatMap((file) => {
    const parser = new Parser(new AstBuilder(IdGenerator.incrementing()), new GherkinClassicTokenMatcher());
    const feature = parser.parse(readFileSync(join(folder, file), "utf8")).feature;
    return (feature?.children ?? []).flatMap((child: FeatureChild) =>
      child.scenario ? [{ feature: file, scenario: child.scenario }] : [],
    );
  });
}

/** Runs one scenario. @returns what did not hold, or undefined. */
async function runScenario(scenario: Scenario, standIn: StandIn): Promise<string | undefined> {
  const runtime = createRuntime({
    store: createMemoryStore(new MemoryDisk()),
    connectors: [httpConnector({ fetch: standIn.fetch })],
    env: createTestEnv(),
    drive: "all",
    version: "conformance",
  });
  try {
    await runtime.start();
    return await play(scenario.steps, runtime);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    await runtime.stop();
  }
}

async function play(steps: readonly Step[], runtime: Runtime): Promise<string | undefined> {
  let document = "";
  let input: Json = {};
  let execution: Execution | undefined;
  for (const step of steps) {
    const text = step.docString?.content ?? "";
    if (step.text === "a workflow with definition:") document = text;
    else if (step.text === "given the workflow input is:") input = parseYaml(text);
    else if (step.text === "the workflow is executed") execution = await execute(runtime, document, input);
    else {
      if (execution === undefined) return `"${step.text}" comes before the execution`;
      const problem = checkOutcome(step.text, text === "" ? undefined : parseYaml(text), execution);
      if (problem !== undefined) return `${step.text} ${problem}`;
    }
  }
  return execution === undefined ? "the scenario executes nothing" : undefined;
}

/** Data of the kit, read as documents are; these are mappings, so data of any kind becomes the member of one. */
function parseYaml(text: string): Json {
  const { json, findings } = parseDocument(`value:\n${text.replace(/^/gm, "  ")}`, { file: "step" });
  const value = json?.["value"];
  if (value === undefined) throw new Error(`the data of a step cannot be read: ${findings.map((finding) => finding.message).join(" ")}`);
  return value;
}

async function execute(runtime: Runtime, text: string, input: Json): Promise<Execution> {
  const { definition } = await runtime.publish({ text });
  const { namespace, name, version } = definition;
  const { runId } = await runtime.startRun({ namespace, name, version, input, actor: "conformance" });
  await runtime.waitFor(runId, "rest", AbortSignal.timeout(SCENARIO_MS));
  const view = await runtime.show(runId);
  return { status: view.status, output: view.output, error: view.error, order: view.tasks.map((task) => task.name) };
}
