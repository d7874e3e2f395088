import type { Bug } from "../bug.ts";

const SQLITE_TEST = "packages/store-sqlite/src/sqlite-store.integration.test.ts";
const LOAD_RUN = "packages/store-sqlite/src/load-run.ts";

/** The embedded store: what it takes for written, for whole, and for unused. */
export const STORAGE_BUGS: readonly Bug[] = [
  {
    name: "commit-without-sequence-check",
    breaks: "A commit on an old state of the run is written all the same.",
    known: "dbos-inc/dbos-transact-py#742: an owner that is none any more goes on",
    edits: [
      {
        file: "packages/store-sqlite/src/plan-commit.ts",
        find: "if ((known?.seq ?? 0) !== commit.expectedSeq) return undefined;",
        put: "",
      },
    ],
    catcher: { by: "test", file: SQLITE_TEST, name: "conflict" },
  },
  {
    name: "written-later",
    breaks: "The store answers when it has written into an open transaction, which it ends only now and then.",
    known: "litedb-org/LiteDB#2818, ClickHouse/ClickHouse#111823: an answer before the write is durable",
    edits: [
      { file: "packages/store-sqlite/src/writer.ts", find: `return place === "worker";`, put: "return false;" },
      { file: "packages/store-sqlite/src/writer.ts", find: "return this.#worker.isReady;", put: "return false;" },
      {
        file: "packages/store-sqlite/src/connection.ts",
        find: `    this.sql("begin immediate").run();\n`,
        put: `    if (!this.database.isTransaction) {\n      this.sql("begin immediate").run();\n      setTimeout(() => this.sql("commit").run(), 100);\n    }\n`,
      },
      {
        file: "packages/store-sqlite/src/connection.ts",
        find: `      this.sql("commit").run();\n      return result;`,
        put: "      return result;",
      },
    ],
    catcher: { by: "kill loop", killsMax: 40 },
  },
  {
    name: "checksum-not-compared",
    breaks: "Records are read without a look at their checksum.",
    known: "rows that nobody compares with what was written",
    edits: [
      {
        file: LOAD_RUN,
        find: `if (recordChecksum(run.runKey, seqFirst, body, places) !== row["crc"])`,
        put: `if (recordChecksum(run.runKey, seqFirst, body, places) < 0)`,
      },
    ],
    catcher: { by: "test", file: SQLITE_TEST, name: "a damaged record is found" },
  },
  {
    name: "gap-read-as-end",
    breaks: "A history with a hole is read up to the hole, as if that were its end.",
    known: "a reader of a log that takes a missing block for its end",
    edits: [
      {
        file: LOAD_RUN,
        find: "if (seqFirst !== seq + 1) throw damaged(run.runId, `records ${seq + 1} to ${seqFirst - 1} are missing`);",
        put: "if (seqFirst !== seq + 1) break;",
      },
    ],
    catcher: { by: "test", file: "packages/store-sqlite/src/gaps.integration.test.ts" },
  },
  {
    name: "payload-freed-too-early",
    breaks: "A value that two runs hold goes with the first of them.",
    known: "dbos-inc/dbos-transact-py#769: a garbage collection that deletes half",
    edits: [
      {
        file: "packages/store-sqlite/src/retention.ts",
        find: `if (connection.sql("select 1 from payload_use where payload_key = ? limit 1").get(payloadKey) !== undefined) continue;`,
        put: "",
      },
    ],
    catcher: { by: "test", file: SQLITE_TEST, name: "a payload goes with the last run" },
  },
  {
    name: "page-skips-equal-times",
    breaks: "The next page of a list begins after all runs that were started in the same millisecond.",
    known: "superplanehq/superplane#6627, lablup/backend.ai#14731",
    edits: [
      {
        file: "packages/store-sqlite/src/list-runs.ts",
        find: "where(`(${table}.started_at, ${table}.run_id) < (?, ?)`, how.place.startedAtMs, how.place.runId);",
        put: "where(`${table}.started_at < ?`, how.place.startedAtMs);",
      },
    ],
    catcher: { by: "test", file: SQLITE_TEST, name: "pages continue exactly" },
  },
  {
    name: "message-taken-by-refused-commit",
    breaks: "A commit that is refused as a conflict takes its messages out of the store all the same.",
    known: "half a transaction: the refusal was read, the deletion not",
    edits: [
      {
        file: "packages/store/src/memory-commit.ts",
        find: "if ((existing?.row.seq ?? 0) !== commit.expectedSeq) return CONFLICT;",
        put: "if ((existing?.row.seq ?? 0) !== commit.expectedSeq) {\n    for (const position of commit.take) disk.messages.delete(position);\n    return CONFLICT;\n  }",
      },
    ],
    catcher: { by: "test", file: "packages/store/src/memory-store.test.ts", name: "a message taken by a commit that conflicts stays" },
  },
];
