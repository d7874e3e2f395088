import { existsSync } from "node:fs";
import { join } from "node:path";
import { DATABASE_FILE, openSqliteStore } from "@tutti/store-sqlite";
import { idOf } from "@tutti/store/fixtures";
import type { Life } from "./life.ts";

/** Highest acknowledged sequence of each run. */
export type Acks = Map<number, number>;

/** Takes the acknowledgements of a life into `acks`. A line that an end cut off acknowledges nothing. */
export function noteAcks(acks: Acks, life: Life): number {
  let count = 0;
  for (const line of life.lines) {
    const match = /^ack (\d+) (\d+)$/.exec(line);
    if (match === null) continue;
    count += 1;
    acks.set(Number(match[1]), Math.max(acks.get(Number(match[1])) ?? 0, Number(match[2])));
  }
  return count;
}

/** All of an uncaught error: its message stands above its stack. */
const STDERR_LINES = 40;

/** What a life must not do whatever the disk does: die unheard, fail in a way nobody has named, go on after the disk has failed. */
export function misbehaviourOf(life: Life): readonly string[] {
  const found: string[] = [];
  if (life.signal !== null || ![0, 3, 4].includes(life.code ?? -1))
    found.push(`it ended with ${life.signal ?? life.code}: ${life.stderr.trim().split("\n").slice(-STDERR_LINES).join("\n")}`);
  for (const line of life.lines) {
    if (line.includes("unexpected")) found.push(`no error of the catalogue: ${line}`);
    if (line === "then accepted") found.push("it wrote on after the disk had failed");
  }
  const failedAt = life.lines.findIndex((line) => line.startsWith("failed ") && line !== "failed store-full");
  const onwards = failedAt < 0 ? [] : life.lines.slice(failedAt + 1).filter((line) => line.startsWith("ack "));
  if (onwards.length > 0) found.push(`${onwards.length} acknowledgements after the disk had failed`);
  return found;
}

/** Starts the store on a sound disk and compares: everything acknowledged is there, word for word, and nothing is damaged. */
export async function lossesIn(directory: string, acks: Acks): Promise<readonly string[]> {
  if (!existsSync(join(directory, DATABASE_FILE))) return acks.size === 0 ? [] : ["the store is gone"];
  const store = openSqliteStore({ directory });
  await store.start();
  try {
    const found: string[] = [];
    for (const [number, seq] of acks) {
      const stored = await store.loadRun(idOf(number));
      if (stored === undefined || stored.seq < seq) {
        found.push(`run ${number}: acknowledged up to ${seq}, stored up to ${stored?.seq ?? 0}`);
        continue;
      }
      const { records } = await store.loadRecords(idOf(number), { withSnapshot: false });
      for (const record of records) {
        const body = JSON.parse(record.body) as { readonly run: number; readonly seq: number };
        if (body.run !== number || body.seq !== record.seq) found.push(`run ${number}: record ${record.seq} is another one`);
      }
    }
    for (const damage of (await store.check()).damage) found.push(`damage: ${damage.runId ?? "store"}: ${damage.what}`);
    return found;
  } finally {
    await store.stop();
  }
}
