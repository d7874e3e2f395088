import { statSync } from "node:fs";
import { join } from "node:path";
import { commitOf, idOf, recordTexts } from "@tutti/store/fixtures";
import { expect, test } from "vitest";
import { DATABASE_FILE, openSqliteStore } from "./sqlite-store.ts";
import { withDirectory } from "./testing/directory.ts";

const RUNS = 20;
const TEXT = JSON.stringify({ type: "fact", at: 0, text: "x".repeat(6000) });
const ROUNDS = 500;
/** Commits wait for the checkpoint when 32 MiB are in the log; 5 MiB more may come before that is seen. */
const LOG_MAX_BYTES = 44 * 1024 * 1024;

test("the log is used again and does not grow with what is written", async () => {
  await withDirectory(async (directory) => {
    const store = openSqliteStore({ directory });
    await store.start();
    const grown = statSync(join(directory, `${DATABASE_FILE}-wal`)).size;
    for (let round = 0; round < ROUNDS; round++) {
      const records = [{ type: "fact", atMs: 0, text: TEXT }];
      await store.commit({ runs: Array.from({ length: RUNS }, (_, index) => commitOf(index + 1, round, { records })) });
    }
    const written = RUNS * ROUNDS * TEXT.length;
    const after = statSync(join(directory, `${DATABASE_FILE}-wal`)).size;
    expect(grown).toBeGreaterThan(8 * 1024 * 1024);
    expect(written).toBeGreaterThan(LOG_MAX_BYTES);
    expect(after).toBeLessThan(LOG_MAX_BYTES);
    expect(await recordTexts(store, RUNS)).toHaveLength(ROUNDS);
    await store.abandon();
    const next = openSqliteStore({ directory });
    await next.start();
    expect((await next.loadRun(idOf(1)))?.seq).toBe(ROUNDS);
    await next.stop();
  });
});
