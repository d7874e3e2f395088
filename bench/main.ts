// `npm run bench -- engine|parked|lists|growth|startup|processes|preview|expressions|store`: prints a table and writes dated JSON under bench/results/.
import { parseArgs } from "node:util";
import { print, save } from "./report.ts";

/** Enough for a median that one disturbed round does not move. */
const ROUNDS_DEFAULT = 5;
const RUNS_DEFAULT = 1_000_000;

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    "tutti-only": { type: "boolean", default: false },
    rounds: { type: "string", default: String(ROUNDS_DEFAULT) },
    runs: { type: "string", default: String(RUNS_DEFAULT) },
    "no-save": { type: "boolean", default: false },
  },
});
const rounds = number("rounds", values.rounds);
const runs = number("runs", values.runs);
const [what] = positionals;

switch (what) {
  case "engine": {
    const { engineTable, measureEngine } = await import("./engine.ts");
    const results = measureEngine({ rounds, withPeers: !values["tutti-only"], print });
    show("engine", engineTable(results), results);
    const last = results.at(-1)?.tutti;
    print(
      `\nMain thread ${last?.mainCpuUsPerStep.toFixed(1) ?? "?"} µs a step, process ${last?.processCpuUsPerStep.toFixed(1) ?? "?"} µs. Where the main thread's time goes (sampled):`,
    );
    for (const { area, percent, usPerStep, functions } of last?.profile ?? []) {
      if (percent < 0.5) continue;
      print(
        `  ${area.padEnd(28)} ${percent.toFixed(1).padStart(5)} %  ${usPerStep.toFixed(1).padStart(5)} µs  ${functions.map((one) => `${one.name} ${one.percent.toFixed(1)}`).join(", ")}`,
      );
    }
    break;
  }
  case "startup": {
    const { measureStartup, startupTable } = await import("./startup.ts");
    const results = await measureStartup(rounds);
    show("startup", startupTable(results), results);
    break;
  }
  case "parked": {
    const { measureParked, parkedTable } = await import("./parked.ts");
    const figures = await measureParked(runs, rounds);
    show("parked", parkedTable(figures), figures);
    break;
  }
  case "lists": {
    const { listsTable, measureLists } = await import("./lists.ts");
    const figures = await measureLists(runs, rounds);
    show("lists", listsTable(figures), { runs, figures });
    break;
  }
  case "growth": {
    const { growthTable, measureGrowth } = await import("./growth.ts");
    const figures = await measureGrowth(runs, rounds);
    show("growth", growthTable(figures), figures);
    break;
  }
  case "preview": {
    const { measurePreview, previewTable } = await import("./preview.ts");
    const figures = await measurePreview(rounds);
    show("preview", previewTable(figures), figures);
    break;
  }
  case "processes": {
    const { measureProcesses, processesTable } = await import("./processes.ts");
    const figures = await measureProcesses(rounds);
    show("processes", processesTable(figures), figures);
    break;
  }
  case "expressions": {
    const { measureExpressions } = await import("./expression.ts");
    const figures = measureExpressions();
    if (!values["no-save"]) save("expressions", figures);
    break;
  }
  case "store": {
    const { measureStore } = await import("./store.ts");
    const figures = await measureStore();
    show(
      "store",
      figures.map((figure) => ({ ...figure })),
      figures,
    );
    break;
  }
  default:
    fail(
      "usage: npm run bench -- engine [--tutti-only] [--rounds N] | startup|processes|preview [--rounds N] | parked|lists|growth [--runs N] [--rounds N] | expressions | store",
    );
}

function show(name: string, table: readonly Record<string, string | number>[], figures: unknown): void {
  console.table(table);
  if (!values["no-save"]) save(name, figures);
}

function number(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) fail(`--${name} takes a whole number from 1 on, not ${text}.`);
  return value;
}

function fail(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}
