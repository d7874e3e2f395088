import { compile, ExpressionError, ExpressionSyntaxError } from "./index.ts";
import { HOSTILE_PROGRAMS } from "./hostile-programs.ts";

/** Runs one hostile program in a process of its own and prints what it cost. Started by `hostile.integration.test.ts`. */

const hostile = HOSTILE_PROGRAMS[Number(process.argv[2])];
if (hostile === undefined) throw new Error(`no hostile program ${process.argv[2]}`);
// One warm evaluation, so that loading and first compilation of the package are not charged to the program.
compile("[range(10)] | map(. + 1) | tojson", { variables: [] }).all(null, []);
const before = process.resourceUsage().maxRSS;
const start = performance.now();
const ends = outcome(hostile.source);
const elapsedMs = performance.now() - start;
const grownMiB = (process.resourceUsage().maxRSS - before) / 1024;
const isPolluted = "polluted" in {} || "polluted" in [];
process.stdout.write(JSON.stringify({ ends, elapsedMs, grownMiB, isPolluted }));

function outcome(source: string): string {
  try {
    compile(source, { variables: [] }).all(hostile?.input ?? null, []);
    return "result";
  } catch (error) {
    if (error instanceof ExpressionSyntaxError) return "syntax";
    if (error instanceof ExpressionError) return error.kind;
    return `host error: ${String(error)}`;
  }
}
