// node suite-process.ts SHARD SHARDS STORE[,STORE] [CASE…]
//
// Plays the cases of one shard and writes what became of them as JSON. A process of its own, so that two processors work at the same time.
import { readSuite } from "./case-file.ts";
import { examine, tell } from "./examine.ts";
import type { StoreKind } from "./ground.ts";
import type { ConformanceResult } from "../result.ts";

const [shard = "0", shards = "1", storeList = "", ...wanted] = process.argv.slice(2);
// Our own caller names them.
const stores = storeList.split(",") as readonly StoreKind[];
process.stdout.write(JSON.stringify(await main(Number(shard), Number(shards), wanted)));
// Watchers of requests that a dead process had sent would keep this one for half a minute.
process.exit(0);

async function main(index: number, count: number, ids: readonly string[]): Promise<ConformanceResult> {
  const all = readSuite();
  const chosen =
    ids.length === 0
      ? all
      : all.filter((one) => ids.some((id) => one.id === id || one.id.startsWith(`${id}/`) || one.id.startsWith(`${id}:`)));
  const mine = chosen.filter((_, position) => position % count === index);
  const failures: string[] = [];
  const notes: string[] = [];
  let deaths = 0;
  for (const one of mine) {
    const startedMs = performance.now();
    const { problems, deaths: died } = await examine(one, stores);
    deaths += died;
    const elapsedMs = performance.now() - startedMs;
    if (problems.length > 0) failures.push(tell(one, problems, `npm run conformance -- suite --case '${one.id}'`));
    notes.push(`${one.id}: ${Math.round(elapsedMs)} ms, ${died} deaths`);
  }
  notes.push(`${deaths} deaths and restarts`);
  return { passed: mine.length - failures.length, total: mine.length, failures, notes };
}
