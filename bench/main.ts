// `npm run bench -- engine --tutti-only` and `npm run bench -- expressions|store`: prints tables and writes dated JSON under bench/results/.
import { mkdirSync, writeFileSync } from "node:fs";
import { arch, cpus, loadavg, release, totalmem } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

const ROUNDS_DEFAULT = 3;
const RESULTS = join(import.meta.dirname, "results");

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    "tutti-only": { type: "boolean", default: false },
    rounds: { type: "string", default: String(ROUNDS_DEFAULT) },
    "no-save": { type: "boolean", default: false },
  },
});
const [what] = positionals;
const rounds = Number(values.rounds);

switch (what) {
  case "engine":
    if (!values["tutti-only"]) fail("The peers are not part of this repository yet: add --tutti-only.");
    await engine();
    break;
  case "expressions": {
    const { measureExpressions } = await import("./expression.ts");
    const figures = measureExpressions();
    save("expressions", figures);
    break;
  }
  case "store": {
    const { measureStore } = await import("./store.ts");
    const figures = await measureStore();
    console.table(figures);
    save("store", figures);
    break;
  }
  default:
    fail("usage: npm run bench -- engine --tutti-only [--rounds N] | expressions | store");
}

async function engine(): Promise<void> {
  const { measureEngine } = await import("./engine.ts");
  const results: Awaited<ReturnType<typeof measureEngine>>[] = [];
  for (let round = 1; round <= rounds; round++) {
    // The profile costs time of its own, so it is taken once, after the figures.
    const figures = await measureEngine({ profile: round === rounds, fanOut: true });
    results.push(figures);
    const { throughput, alone, fanOut } = figures;
    print(
      `round ${round}: ${throughput.stepsPerSecond.toFixed(0)} steps/s (${throughput.runsPerSecond.toFixed(0)} runs/s), ` +
        `main thread ${throughput.mainCpuUsPerStep.toFixed(1)} µs a step, process ${throughput.processCpuUsPerStep.toFixed(1)} µs; ` +
        `one run alone p50 ${alone.p50Ms.toFixed(2)} ms, p99 ${alone.p99Ms.toFixed(2)} ms; ` +
        fanOut.map(({ width, medianMs }) => `${width} parallel ${medianMs.toFixed(0)} ms`).join(", "),
    );
  }
  const median = (pick: (figures: (typeof results)[number]) => number): number =>
    results.map(pick).toSorted((left, right) => left - right)[Math.floor(results.length / 2)] ?? 0;
  print(
    `\nmedians of ${rounds}: ${median((one) => one.throughput.stepsPerSecond).toFixed(0)} steps/s, one run of 10 steps alone ${median((one) => one.alone.p50Ms).toFixed(2)} ms, main thread ${median((one) => one.throughput.mainCpuUsPerStep).toFixed(1)} µs a step`,
  );
  print("\nWhere the main thread's time goes (sampled):");
  for (const { area, percent, usPerStep, functions } of results.at(-1)?.profile ?? []) {
    if (percent < 0.5) continue;
    print(
      `  ${area.padEnd(28)} ${percent.toFixed(1).padStart(5)} %  ${usPerStep.toFixed(1).padStart(5)} µs  ${functions.map((one) => `${one.name} ${one.percent.toFixed(1)}`).join(", ")}`,
    );
  }
  save("engine", results);
}

function save(name: string, figures: unknown): void {
  if (values["no-save"]) return;
  mkdirSync(RESULTS, { recursive: true });
  const at = new Date().toISOString();
  const file = join(RESULTS, `${at.slice(0, 10)}-${name}.json`);
  const machine = {
    node: process.version,
    cpu: cpus()[0]?.model ?? "",
    cores: cpus().length,
    memoryBytes: totalmem(),
    arch: arch(),
    kernel: release(),
    load: loadavg(),
  };
  writeFileSync(file, `${JSON.stringify({ at, machine, figures }, null, 2)}\n`);
  print(`written to ${file.slice(join(import.meta.dirname, "..").length + 1)}`);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function fail(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}
