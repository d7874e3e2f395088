import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { commitOf, CONFLICT, eventOf, idOf, recordTexts, textOf } from "@tutti/store/fixtures";
import { expect, test, vi } from "vitest";
import type { CommitPlace, CommitPolicy } from "./commit-policy.ts";
import { Connection } from "./connection.ts";
import { DATABASE_FILE, openSqliteStore, type SqliteStore } from "./sqlite-store.ts";
import { withDirectory } from "./testing/directory.ts";

const RUNS = 5;
const COMMITS = 300;
/** Many times what the other thread takes for a commit. */
const TURN_MS = 300;
/** It ends when it has seen what it looks for. */
const LONG_TURN_MS = 120_000;
/** Multiplier and increment of a small linear congruential generator: the same order in every run of the test. */
const nextChance = (seed: number): number => (seed * 1_103_515_245 + 12_345) % 2 ** 31;

test("commits that were queued without waiting keep their order, whichever thread each one runs on", async () => {
  await withStore(mixedPlaces(), async (store) => {
    const seqs = new Map<number, number>();
    const verdicts = Array.from({ length: COMMITS }, async (_, commit) => {
      const number = (commit % RUNS) + 1;
      const seq = seqs.get(number) ?? 0;
      seqs.set(number, seq + 1);
      // A turn of the event loop now and then, so that transactions differ in length.
      if (commit % 7 === 0) await new Promise((resolve) => setImmediate(resolve));
      const { verdicts: answer } = await store.commit({ runs: [commitOf(number, seq)] });
      return { number, seq, verdict: answer[0]?.verdict };
    });
    const answers = await Promise.all(verdicts);
    // Those who waited a turn were overtaken and conflict; for every run the committed ones make one gap-free history.
    for (let number = 1; number <= RUNS; number++) {
      const committed = answers.filter((one) => one.number === number && one.verdict === "committed").length;
      expect(committed).toBeGreaterThan(0);
      expect(await recordTexts(store, number)).toEqual(Array.from({ length: committed }, (_, index) => textOf(number, index + 1)));
    }
  });
});

test("of two commits on one sequence in one turn, the first wins on any thread", async () => {
  await withStore(mixedPlaces(), async (store) => {
    for (let seq = 0; seq < 40; seq++) {
      const [first, second] = await Promise.all([store.commit({ runs: [commitOf(1, seq)] }), store.commit({ runs: [commitOf(1, seq)] })]);
      expect(first?.verdicts[0]?.verdict).toBe("committed");
      expect(second?.verdicts).toEqual([CONFLICT]);
    }
  });
});

test("a write that breaks an invariant fails alone; those that share its transaction are carried out", async () => {
  await withStore(mixedPlaces(), async (store) => {
    const broken = store.commit({ runs: [commitOf(1, 0), commitOf(1, 0)] });
    const sound = store.commit({ runs: [commitOf(2, 0)] });
    const event = store.acceptEvent(eventOf("1"));
    await expect(broken).rejects.toThrow("at most once");
    expect((await sound).verdicts[0]?.verdict).toBe("committed");
    expect(await event).toEqual({ position: 1, duplicate: false });
    expect(await store.loadRun(idOf(1))).toBeUndefined();
  });
});

test("what was asked for before the stop is written before it", async () => {
  await withDirectory(async (directory) => {
    const store = openSqliteStore({ directory, commitPolicy: mixedPlaces() });
    await store.start();
    const pending = Array.from({ length: 20 }, (_, index) => store.commit({ runs: [commitOf(index + 1, 0)] }));
    await store.stop();
    await Promise.all(pending);
    await store.start();
    expect(await store.findRunIds("run_", 100)).toHaveLength(20);
    expect(store.stoppedCleanly).toBe(true);
    await store.stop();
  });
});

test("a large batch is written while the turn of the event loop that gave it goes on; a small one waits for the next turn", async () => {
  await withDirectory(async (directory) => {
    const store = openSqliteStore({ directory, commitPolicy: { choose: () => "worker", record: () => undefined } });
    await store.start();
    const reader = new DatabaseSync(join(directory, DATABASE_FILE), { readOnly: true });
    const rows = reader.prepare("select count(*) as rows from run");
    /** Looks without letting the event loop go on. */
    const seesWithin = (ms: number, count: number): boolean => {
      const untilMs = performance.now() + ms;
      while (performance.now() < untilMs) if (rows.get()?.["rows"] === count) return true;
      return false;
    };
    const small = store.commit({ runs: [commitOf(1, 0)] });
    expect(seesWithin(TURN_MS, 1)).toBe(false);
    await small;
    const large = store.commit({ runs: Array.from({ length: 200 }, (_, index) => commitOf(index + 2, 0)) });
    expect(seesWithin(LONG_TURN_MS, 201)).toBe(true);
    expect((await large).verdicts.every(({ verdict }) => verdict === "committed")).toBe(true);
    reader.close();
    await store.stop();
  });
});

function mixedPlaces(): CommitPolicy {
  let seed = 42;
  return {
    choose: (): CommitPlace => {
      seed = nextChance(seed);
      return seed % 3 === 0 ? "main" : "worker";
    },
    record: () => undefined,
  };
}

async function withStore(commitPolicy: CommitPolicy, use: (store: SqliteStore) => Promise<void>): Promise<void> {
  await withDirectory(async (directory) => {
    const store = openSqliteStore({ directory, commitPolicy });
    await store.start();
    try {
      await use(store);
    } finally {
      await store.abandon();
    }
  });
}

/** SQLite's answer to each look at the log from here on; the store itself goes on. */
function failLooks(errcode: number): { readonly looks: () => number; readonly end: () => void } {
  // The method itself, which is called with its object below.
  const sql = Object.getOwnPropertyDescriptor(Connection.prototype, "sql")?.value as Connection["sql"];
  let looks = 0;
  const spy = vi.spyOn(Connection.prototype, "sql").mockImplementation(function (this: Connection, text) {
    if (!text.includes("wal_checkpoint(noop)")) return sql.call(this, text);
    looks += 1;
    throw Object.assign(new Error("disk I/O error"), { errcode });
  });
  return { looks: () => looks, end: () => spy.mockRestore() };
}
const SQLITE_IOERR_SHMSIZE = 10 | (19 << 8);
const SQLITE_IOERR_READ = 10 | (1 << 8);
/** More transactions than lie between two looks at the log. */
const TRANSACTIONS = 70;

test("a log that can't be looked at for want of space is looked at again later; every commit is answered", async () => {
  await withStore({ choose: () => "main", record: () => undefined }, async (store) => {
    const failing = failLooks(SQLITE_IOERR_SHMSIZE);
    try {
      for (let seq = 0; seq < TRANSACTIONS; seq++)
        expect((await store.commit({ runs: [commitOf(1, seq)] })).verdicts[0]?.verdict).toBe("committed");
      expect(failing.looks()).toBe(2);
    } finally {
      failing.end();
    }
  });
});

test("when looking at the log shows that the disk has failed, what was stored is acknowledged and nothing more is written", async () => {
  await withStore({ choose: () => "main", record: () => undefined }, async (store) => {
    const failing = failLooks(SQLITE_IOERR_READ);
    try {
      let committed = 0;
      const refused = await (async () => {
        for (; committed < TRANSACTIONS; committed++) await store.commit({ runs: [commitOf(1, committed)] });
      })().catch((error: unknown) => error);
      expect(failing.looks()).toBe(1);
      expect(committed).toBeLessThan(TRANSACTIONS);
      expect(refused).toMatchObject({ code: "commit-outcome-unknown" });
    } finally {
      failing.end();
    }
  });
});
