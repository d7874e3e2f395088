import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { commitOf, idOf } from "@tutti/store/fixtures";
import { expect, test } from "vitest";
import { DATABASE_FILE, openSqliteStore } from "./sqlite-store.ts";
import { withDirectory } from "./testing/directory.ts";

/** Commits of the run, a record each. */
const COMMITS = 4;

test.each([
  ["first", 1],
  ["second", 2],
  ["third", 3],
])("a history whose %s row is gone is damaged, and not a shorter one", async (_, seq) => {
  await withDirectory(async (directory) => {
    const store = openSqliteStore({ directory });
    await store.start();
    for (let expectedSeq = 0; expectedSeq < COMMITS; expectedSeq++) await store.commit({ runs: [commitOf(1, expectedSeq)] });
    await store.stop();
    const database = new DatabaseSync(join(directory, DATABASE_FILE));
    expect(database.prepare("delete from record where seq_first = ?").run(seq).changes).toBe(1);
    database.close();
    const again = openSqliteStore({ directory });
    await again.start();
    await expect(again.loadRecords(idOf(1), { withSnapshot: false })).rejects.toMatchObject({ code: "store-damaged" });
    // A page of it, too: whoever reads in pages does not know where the end is.
    await expect(again.readRecords(idOf(1), 1, COMMITS)).rejects.toMatchObject({ code: "store-damaged" });
    expect((await again.check()).damage.map((one) => JSON.stringify(one)).join("\n")).toContain(idOf(1));
    await again.stop();
  });
});
