// What CI runs: every layer, its time, every failure, and the sum as the last line. See `scripts/check/layers.ts`.
//
//   npm run check                          everything
//   npm run check -- lint types            these layers only
//   npm run check -- --unit-report FILE    unit tests have run already (`TUTTI_REPORT=FILE npm test`): count that report
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { writeCounts } from "./check/counts.ts";
import { LANES, type Layer, LAYERS } from "./check/layers.ts";
import { readReport } from "./check/report.ts";
import { type LayerResult, runLayer } from "./check/run-layer.ts";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const logDirectory = process.env["TUTTI_CHECK_LOGS"] ?? join(root, "node_modules/.cache/check");
/** A failure's message is cut here; the log has all of it. */
const MESSAGE_LINES = 60;

process.exitCode = await main();

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({ options: { "unit-report": { type: "string" } }, allowPositionals: true });
  const unknown = positionals.filter((name) => !LAYERS.some((layer) => layer.name === name));
  if (unknown.length > 0) {
    process.stderr.write(`There is no layer ${unknown.join(", ")}. Layers: ${LAYERS.map((layer) => layer.name).join(", ")}.\n`);
    return 2;
  }
  const interrupt = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => interrupt.abort());
  mkdirSync(logDirectory, { recursive: true });
  const startedAt = performance.now();
  const results: { layer: Layer; result: LayerResult }[] = [];
  const queue = LAYERS.filter((layer) => positionals.length === 0 || positionals.includes(layer.name));
  let isLabBusy = false;
  const runLane = async (): Promise<void> => {
    while (!interrupt.signal.aborted) {
      const next = queue.findIndex((layer) => !(isLabBusy && layer.usesLab));
      const [layer] = next === -1 ? [] : queue.splice(next, 1);
      // What is left uses the lab, and the other lane, which has it now, goes on with that.
      if (layer === undefined) return;
      if (layer.usesLab) isLabBusy = true;
      const unitReport = layer.name === "unit" ? values["unit-report"] : undefined;
      const result =
        unitReport === undefined ? await runLayer(layer, { root, logDirectory, signal: interrupt.signal }) : takeOver(unitReport);
      if (layer.usesLab) isLabBusy = false;
      results.push({ layer, result });
      printLayer(layer, result);
    }
  };
  await Promise.all(Array.from({ length: LANES }, runLane));
  return printSum(results, performance.now() - startedAt);
}

function takeOver(file: string): LayerResult {
  const report = readReport(file);
  const failures = report?.failures ?? [{ name: "unit", message: `${file} is no report: the unit tests did not come to their end` }];
  return { passed: report?.passed ?? 0, failures, skips: report?.skips ?? [], elapsedMs: 0, cpuMs: 0, logFile: file };
}

function printLayer(layer: Layer, result: LayerResult): void {
  const counts = `${result.passed} passed, ${result.failures.length} failed, ${result.skips.length} skipped`;
  const mark = result.failures.length === 0 ? "ok  " : "FAIL";
  process.stdout.write(
    `${mark} ${layer.name.padEnd(17)} ${seconds(result.elapsedMs).padStart(8)}  ${`cpu ${seconds(result.cpuMs)}`.padStart(12)}  ${counts}\n`,
  );
  for (const skip of result.skips) process.stdout.write(`     skipped: ${skip.name}: ${skip.reason}\n`);
}

function printSum(results: readonly { readonly layer: Layer; readonly result: LayerResult }[], elapsedMs: number): number {
  const failed = results.filter(({ result }) => result.failures.length > 0);
  for (const { layer, result } of failed) {
    process.stdout.write(`\n--- ${layer.name}: ${result.failures.length} failed (log: ${result.logFile})\n`);
    for (const failure of result.failures) process.stdout.write(`  ${failure.name}\n${indent(failure.message)}\n`);
  }
  const absent = LAYERS.filter((layer) => !results.some((entry) => entry.layer === layer)).map((layer) => layer.name);
  process.stdout.write(`\nTotal time ${seconds(elapsedMs)}.${absent.length > 0 ? ` Not run: ${absent.join(", ")}.` : ""}\n`);
  const sum = (count: (result: LayerResult) => number): number => results.reduce((total, entry) => total + count(entry.result), 0);
  const failures = sum((result) => result.failures.length);
  // A part of the check says nothing about how often the whole passes.
  if (absent.length === 0 && process.env["TUTTI_COUNTS"] !== undefined) countWhole(results, failures);
  process.stdout.write(`${sum((result) => result.passed)} passed, ${failures} failed, ${sum((result) => result.skips.length)} skipped\n`);
  return failures === 0 ? 0 : 1;
}

/** For `npm run proof -- flakes`: the whole check was carried out once; how long each layer took. */
function countWhole(results: readonly { readonly layer: Layer; readonly result: LayerResult }[], failures: number): void {
  const sum = (count: (result: LayerResult) => number): number => results.reduce((total, entry) => total + count(entry.result), 0);
  writeCounts({
    proof: "flakes",
    seed: 0,
    checks: 1,
    layers: results.length,
    passed: sum((result) => result.passed),
    skipped: sum((result) => result.skips.length),
    violations: failures,
    ...Object.fromEntries(results.map(({ layer, result }) => [`${layer.name}-ms`, Math.round(result.elapsedMs)])),
  });
}

function indent(message: string): string {
  const lines = message.split("\n");
  const shown = lines.length > MESSAGE_LINES ? ["…", ...lines.slice(-MESSAGE_LINES)] : lines;
  return shown.map((line) => `    ${line}`).join("\n");
}

function seconds(elapsedMs: number): string {
  return `${(elapsedMs / 1000).toFixed(1)} s`;
}
