import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describeStore, type StoreUnderTest } from "@tutti/store/conformance";
import type { CommitPlace, CommitPolicy } from "./commit-policy.ts";
import { openSqliteStore, type SqliteStore } from "./sqlite-store.ts";

let alternation = 0;

describeStore("sqlite store, thread by policy", () => open(undefined));
describeStore("sqlite store, all in the worker", () => open(always(() => "worker")));
describeStore("sqlite store, main thread and worker in turn", () => open(always(() => (++alternation % 2 === 0 ? "main" : "worker"))));

function always(choose: () => CommitPlace): CommitPolicy {
  return { choose, record: () => undefined };
}

async function open(commitPolicy: CommitPolicy | undefined): Promise<StoreUnderTest> {
  const directory = mkdtempSync(join(tmpdir(), "tutti-store-"));
  const start = async (): Promise<SqliteStore> => {
    const store = openSqliteStore({ directory, commitPolicy });
    await store.start();
    return store;
  };
  let store = await start();
  return {
    store,
    reopen: async () => {
      await store.abandon();
      store = await start();
      return store;
    },
    close: async () => {
      await store.abandon();
      rmSync(directory, { recursive: true });
    },
    damage: async (runId) => {
      const database = new DatabaseSync(join(directory, "tutti.db"));
      database
        .prepare(
          "update record set body = '!' || substr(body, 2) where run_key = (select run_key from run where run_id = ?) and seq_first = 1",
        )
        .run(runId);
      database.close();
    },
  };
}
