import { readFileSync, writeFileSync } from "node:fs";
import { compile, ExpressionError, ExpressionSyntaxError } from "@tutti/expression";
import { HOSTILE_PROGRAMS, type HostileProgram } from "./hostile-programs.ts";

/**
 * Runs every hostile program in this process, one after the other, and prints a line of JSON for each. Started by
 * `hostile.integration.test.ts` with `--expose-gc`.
 */

// One warm evaluation, so that loading and first compilation of the package are not charged to a program.
compile("[range(10)] | map(. + 1) | tojson", { variables: [] }).all(null, []);

for (const hostile of HOSTILE_PROGRAMS) {
  globalThis.gc?.();
  resetPeak();
  const before = memoryKiB("VmRSS");
  const start = process.threadCpuUsage();
  const ends = outcome(hostile);
  // Time on the processor, so that a busy machine does not fail the test.
  const used = process.threadCpuUsage(start);
  const elapsedMs = (used.user + used.system) / 1000;
  const grownMiB = (memoryKiB("VmHWM") - before) / 1024;
  const isPolluted = "polluted" in {} || "polluted" in [];
  process.stdout.write(`${JSON.stringify({ name: hostile.name, ends, elapsedMs, grownMiB, isPolluted })}\n`);
}

function outcome({ source, input }: HostileProgram): string {
  try {
    compile(source, { variables: [] }).all(input ?? null, []);
    return "result";
  } catch (error) {
    if (error instanceof ExpressionSyntaxError) return "syntax";
    if (error instanceof ExpressionError) return error.kind;
    return `host error: ${String(error)}`;
  }
}

/** Makes Linux forget the peak of the resident set, so that the next one belongs to the next program. */
function resetPeak(): void {
  writeFileSync("/proc/self/clear_refs", "5");
}

function memoryKiB(field: "VmRSS" | "VmHWM"): number {
  return Number(new RegExp(`^${field}:\\s+([0-9]+) kB$`, "m").exec(readFileSync("/proc/self/status", "utf8"))?.[1]);
}
