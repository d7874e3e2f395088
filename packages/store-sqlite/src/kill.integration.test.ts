import { idOf, textOf } from "@tutti/store/fixtures";
import { describe, expect, test } from "vitest";
import { openSqliteStore } from "./sqlite-store.ts";
import { acknowledgements, runWriter } from "./testing/child-process.ts";
import { withDirectory } from "./testing/directory.ts";

/** Per place; the crash tests of the whole system run hundreds. */
const KILLS = 12;
/** From the first acknowledgement of a process to its end. */
const LIFE_MAX_MS = 60;
const RUNS = 10;
/** All that the early acknowledger says before it stands still: five rounds of three runs. */
const ACKS_BEFORE_STILL = 15;
const TIMEOUT_MS = 600_000;

/** What the store holds against what was acknowledged: losses, and runs whose records are not as they were written. */
async function compare(
  directory: string,
  acknowledged: ReadonlyMap<number, number>,
  isLast: boolean,
): Promise<{ lost: string[]; wrong: string[]; damage: number }> {
  const store = openSqliteStore({ directory });
  await store.start();
  try {
    const lost: string[] = [];
    const wrong: string[] = [];
    for (let number = 1; number <= RUNS; number++) {
      const row = await store.loadRun(idOf(number));
      const seq = acknowledged.get(number) ?? 0;
      if ((row?.seq ?? 0) < seq) lost.push(`run ${number}: ${seq} acknowledged, ${row?.seq ?? 0} there`);
      if (row === undefined) continue;
      const { records } = await store.loadRecords(row.runId, { withSnapshot: true });
      const expected = Array.from({ length: row.seq }, (_, index) => textOf(number, index + 1));
      if (JSON.stringify(records.map((record) => record.body)) !== JSON.stringify(expected)) wrong.push(row.runId);
    }
    return { lost, wrong, damage: isLast ? (await store.check()).damage.length : 0 };
  } finally {
    await store.abandon();
  }
}

function note(acknowledged: Map<number, number>, lines: readonly string[]): number {
  const acks = acknowledgements(lines);
  for (const { number, seq } of acks) acknowledged.set(number, Math.max(seq, acknowledged.get(number) ?? 0));
  return acks.length;
}

describe("kill -9 at any moment", () => {
  for (const place of ["main", "worker", "policy"] as const) {
    test(
      `loses nothing that was acknowledged, commits on: ${place}`,
      async () => {
        await withDirectory(async (directory) => {
          const acknowledged = new Map<number, number>();
          let acks = 0;
          for (let kill = 0; kill < KILLS; kill++) {
            // Spread evenly instead of by chance, so that a failure comes again.
            const lifeMs = Math.round((LIFE_MAX_MS * kill) / KILLS);
            const { lines } = await runWriter({
              directory,
              order: "commit",
              place,
              killAfter: (count) => (count > 0 ? lifeMs : undefined),
            });
            acks += note(acknowledged, lines);
            expect(lines[0]).toBe("started");
            expect(await compare(directory, acknowledged, kill === KILLS - 1)).toEqual({ lost: [], wrong: [], damage: 0 });
          }
          expect(acks).toBeGreaterThan(KILLS);
        });
      },
      TIMEOUT_MS,
    );
  }

  test(
    "control: a process that acknowledges before it commits is caught",
    async () => {
      await withDirectory(async (directory) => {
        const acknowledged = new Map<number, number>();
        const { lines } = await runWriter({
          directory,
          order: "ack-first",
          place: "main",
          killAfter: (count) => (count >= ACKS_BEFORE_STILL ? 0 : undefined),
        });
        note(acknowledged, lines);
        const found = await compare(directory, acknowledged, false);
        expect(found).toMatchObject({ wrong: [], damage: 0 });
        expect(found.lost).not.toEqual([]);
      });
    },
    TIMEOUT_MS,
  );
});
