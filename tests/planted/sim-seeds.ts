// node --import register.ts sim-seeds.ts JSON: simulates seeds one after the other until a law is broken, and writes what it has found as JSON.
import { simulate } from "../sim/simulation.ts";
import type { SeedRange, SeedsFound } from "./run-seeds.ts";

let seed = 0;
let startedMs = performance.now();

// A promise that nobody looks at is no law; the process ends, as it would in the simulation's own threads.
process.on("unhandledRejection", (error) => {
  tell({ seed, law: "unexpected error", message: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  process.exit(0);
});

const ranges = JSON.parse(process.argv[2] ?? "[]") as readonly SeedRange[];
tell(await search());

async function search(): Promise<SeedsFound> {
  for (const { from, to, faults } of ranges) {
    for (seed = from; seed <= to; seed += 1) {
      // The first one loads everything that is loaded on first use.
      if (seed === from) startedMs = performance.now();
      const { violation } = await simulate({ seed, nodes: 1, ...(faults === undefined ? {} : { faults }) });
      if (violation !== undefined) return { seed, ...violation };
    }
  }
  return undefined;
}

function tell(found: SeedsFound): void {
  process.stdout.write(`${JSON.stringify({ found: found ?? null, seconds: (performance.now() - startedMs) / 1000 })}\n`);
}
