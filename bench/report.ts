import { mkdirSync, writeFileSync } from "node:fs";
import { arch, cpus, loadavg, release, totalmem } from "node:os";
import { join } from "node:path";

const RESULTS = join(import.meta.dirname, "results");

export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Writes the figures with the machine they were measured on, under today's date. */
export function save(name: string, figures: unknown): void {
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

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** The median of the quotients: figures of one round were taken minutes apart on the same machine, those of different rounds were not. */
export function ratio(pairs: readonly (readonly [number, number])[]): number {
  return median(pairs.map(([mine, other]) => mine / other));
}
