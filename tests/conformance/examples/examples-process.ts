// node examples-process.ts SHARD SHARDS [EXAMPLE…]
//
// Plays the rows of the table of one shard and writes, by example, what did not hold. A process of its own, as that of the suite.
import { conformanceDir, exampleTexts, specificationDir } from "../material.ts";
import type { ConformanceResult } from "../result.ts";
import { examine, tell } from "../suite-runner/examine.ts";
import { caseOf, readTable } from "./table.ts";

const [shard = "0", shards = "1", ...wanted] = process.argv.slice(2);
process.stdout.write(JSON.stringify(await main(Number(shard), Number(shards), wanted)));
// Watchers of requests that a dead process had sent would keep this one for half a minute.
process.exit(0);

async function main(index: number, count: number, names: readonly string[]): Promise<ConformanceResult> {
  const texts = exampleTexts(specificationDir(conformanceDir()) ?? "");
  const rows = readTable();
  const unknown = rows.filter(({ row }) => !texts.has(row.example));
  const failures = unknown.map(({ row, place }) => `${place}: the specification has no example ${row.example}`);
  const notes: string[] = [];
  let passed = 0;
  const chosen = [...texts.keys()].filter((name) => names.length === 0 || names.some((one) => name === one || name === `${one}.yaml`));
  const mine = chosen.filter((_, position) => position % count === index);
  for (const name of mine) {
    const own = rows.filter(({ row }) => row.example === name);
    const found = own.length === 0 ? [`${name} is not in tests/conformance/examples/table.yaml`] : [];
    for (const placed of own) {
      const one = caseOf(placed, texts.get(name) ?? "");
      const startedMs = performance.now();
      const { problems, deaths } = await examine(one, ["memory", "sqlite"]);
      notes.push(`${one.id}: ${Math.round(performance.now() - startedMs)} ms, ${deaths} deaths`);
      if (problems.length > 0) found.push(tell(one, problems, `npm run conformance -- examples --case '${name}'`));
    }
    if (found.length === 0) passed += 1;
    failures.push(...found);
  }
  return { passed, total: mine.length, failures: index === 0 ? failures : failures.slice(unknown.length), notes };
}
