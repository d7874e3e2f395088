import { spawnSync } from "node:child_process";
import { idOf, textOf } from "@tutti/store/fixtures";
import { expect, test } from "vitest";
import { openSqliteStore } from "./sqlite-store.ts";
import { acknowledgements, runWriter, type WriterRun } from "./testing/child-process.ts";
import { withDirectory } from "./testing/directory.ts";

/** Syncs before the one that fails: the start needs some, commits the rest. */
const SYNCS_BEFORE = 60;
const TIMEOUT_MS = 600_000;

const isTraceable = spawnSync("strace", ["-f", "-e", "trace=none", "true"]).status === 0;

for (const place of ["main", "worker"] as const) {
  test.skipIf(!isTraceable)(
    `after a sync that failed nothing more is written, commits on: ${place}`,
    async () => {
      await withDirectory(async (directory) => {
        // Only one sync fails: a store that tried again would go on as if nothing had happened.
        const run = await runWriter({ directory, order: "commit", place, prefix: trace(`fsync,fdatasync:error=EIO:when=${SYNCS_BEFORE}`) });
        expect(run.lines).toContain("failed commit-outcome-unknown");
        expect(run.lines.at(-1)).toBe("then refused");
        await expectAllThere(directory, run);
      });
    },
    TIMEOUT_MS,
  );
}

test.skipIf(!isTraceable)(
  "control: without the fault the same process goes on past that sync",
  async () => {
    await withDirectory(async (directory) => {
      const run = await runWriter({
        directory,
        order: "commit",
        place: "main",
        prefix: trace(`fsync,fdatasync:delay_enter=1:when=${SYNCS_BEFORE}`),
        killAfter: (count) => (count > SYNCS_BEFORE * 4 ? 0 : undefined),
      });
      expect(run.lines.filter((line) => line.startsWith("failed"))).toEqual([]);
    });
  },
  TIMEOUT_MS,
);

/** `-D` lets the process itself stay our child, so that it can be killed. */
function trace(fault: string): readonly string[] {
  return ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", "-e", `inject=${fault}`];
}

async function expectAllThere(directory: string, run: WriterRun): Promise<void> {
  const store = openSqliteStore({ directory });
  await store.start();
  const acks = acknowledgements(run.lines);
  expect(acks.length).toBeGreaterThan(0);
  for (const { number, seq } of acks) {
    const [record] = await store.readRecords(idOf(number), seq, 1);
    expect(record?.body).toBe(textOf(number, seq));
  }
  await store.stop();
}
