import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { commitOf, idOf } from "@tutti/store/fixtures";
import { expect, test } from "vitest";
import { DATABASE_FILE, openSqliteStore } from "./sqlite-store.ts";
import { withDirectory } from "./testing/directory.ts";

test.each([
  ["a row that was moved before the beginning", "seq_first = 0"],
  ["a row that was moved far before the beginning", "seq_first = -7"],
])("%s is damage, not an empty history", async (_, change) => {
  await withRow(change, async (load) => {
    await expect(load()).rejects.toMatchObject({ code: "store-damaged" });
  });
});

test("an empty list of payloads is none", async () => {
  await withRow("payload_places = ''", async (load) => {
    expect(await load()).toHaveLength(2);
  });
});

async function withRow(change: string, look: (load: () => Promise<readonly unknown[]>) => Promise<void>): Promise<void> {
  await withDirectory(async (directory) => {
    const store = openSqliteStore({ directory });
    await store.start();
    await store.commit({ runs: [commitOf(1, 0, { count: 2 })] });
    const raw = new DatabaseSync(join(directory, DATABASE_FILE));
    raw.exec(`update record set ${change}`);
    raw.close();
    await look(async () => (await store.loadRecords(idOf(1), { withSnapshot: false })).records);
    await store.stop();
  });
}
