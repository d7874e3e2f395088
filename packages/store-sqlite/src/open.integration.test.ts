import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { commitOf, commitOne, idOf } from "@tutti/store/fixtures";
import { expect, test } from "vitest";
import { openSqliteStore } from "./sqlite-store.ts";
import { runWriter } from "./testing/child-process.ts";
import { withDirectory } from "./testing/directory.ts";

/** A second opener must not wait for the first: who waits does so each time, while a busy machine or a slow disk holds up some of these. */
const QUICK_MS = 1000;
const OPENINGS_MAX = 60;

test("a second store on the directory is refused quickly, with the owner's process; and works once the first has stopped", async () => {
  await withDirectory(async (directory) => {
    const first = openSqliteStore({ directory });
    await first.start();
    const tookMs: number[] = [];
    do {
      const startedAt = performance.now();
      await expect(openSqliteStore({ directory }).start()).rejects.toMatchObject({ code: "store-in-use", details: { pid: process.pid } });
      tookMs.push(performance.now() - startedAt);
    } while (tookMs.length < OPENINGS_MAX && (tookMs.at(-1) ?? 0) >= QUICK_MS);
    expect(Math.min(...tookMs)).toBeLessThan(QUICK_MS);
    await commitOne(first, commitOf(1, 0));
    await first.stop();
    const second = openSqliteStore({ directory });
    await second.start();
    expect(await second.loadRun(idOf(1))).toBeDefined();
    // A second stop waits for the first: then the directory is free.
    void second.stop();
    await second.stop();
    await first.start();
    await first.stop();
  });
});

test("another process that owns the directory is named, and its kill -9 frees it", async () => {
  await withDirectory(async (directory) => {
    const started = Promise.withResolvers<void>();
    const child = runWriter({
      directory,
      order: "commit",
      place: "main",
      killAfter: () => {
        started.resolve();
        return undefined;
      },
    });
    await started.promise;
    const failure = await openSqliteStore({ directory })
      .start()
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "store-in-use" });
    const { pid } = (failure as { details: { pid: number } }).details;
    expect(pid).not.toBe(process.pid);
    process.kill(pid, "SIGKILL");
    await child;
    const store = openSqliteStore({ directory });
    await store.start();
    await store.stop();
  });
});

test("only the owner's account can read what is stored", async () => {
  await withDirectory(async (directory) => {
    const store = openSqliteStore({ directory });
    await store.start();
    await commitOne(store, commitOf(1, 0));
    await store.markSuspect(idOf(1));
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    const modes = readdirSync(directory).map((name) => [name, (statSync(join(directory, name)).mode & 0o777).toString(8)]);
    expect(modes.map(([name]) => name)).toContain("tutti.db-wal");
    expect(modes.filter(([, mode]) => mode !== "600")).toEqual([]);
    await store.stop();
  });
});

test("a directory written by a newer version is refused, and left alone", async () => {
  await withDirectory(async (directory) => {
    await createStore(directory);
    change(directory, "insert into migration (number, hash) values (1000, 'from the future')");
    await expect(openSqliteStore({ directory }).start()).rejects.toMatchObject({ code: "store-newer" });
    // The refusal lets go of the directory.
    await expect(openSqliteStore({ directory }).start()).rejects.toMatchObject({ code: "store-newer" });
    change(directory, "delete from migration where number = 1000");
    const store = openSqliteStore({ directory });
    await store.start();
    expect(await store.loadRun(idOf(1))).toBeDefined();
    await store.stop();
  });
});

test("another history of migrations, another program's database and a file that is none are damage", async () => {
  await withDirectory(async (directory) => {
    await createStore(directory);
    change(directory, "update migration set hash = 'other'");
    await expect(openSqliteStore({ directory }).start()).rejects.toMatchObject({ code: "store-damaged" });
  });
  await withDirectory(async (directory) => {
    mkdirSync(directory, { recursive: true });
    change(directory, "create table other (a)");
    await expect(openSqliteStore({ directory }).start()).rejects.toMatchObject({ code: "store-damaged" });
  });
  await withDirectory(async (directory) => {
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, "tutti.db"), "This is no database. ".repeat(500));
    await expect(openSqliteStore({ directory }).start()).rejects.toMatchObject({ code: "store-damaged" });
  });
});

async function createStore(directory: string): Promise<void> {
  const store = openSqliteStore({ directory });
  await store.start();
  await commitOne(store, commitOf(1, 0));
  await store.stop();
}

function change(directory: string, sql: string): void {
  const database = new DatabaseSync(join(directory, "tutti.db"));
  database.exec(sql);
  database.close();
}

test("a directory in which a file cannot be opened is refused by its name, and the lock is free afterwards", async () => {
  await withDirectory(async (directory) => {
    mkdirSync(join(directory, "owner.db"), { recursive: true });
    await expect(openSqliteStore({ directory }).start()).rejects.toMatchObject({ code: "file-unreadable", details: { path: directory } });
  });
  await withDirectory(async (directory) => {
    mkdirSync(join(directory, "tutti.db"), { recursive: true });
    await expect(openSqliteStore({ directory }).start()).rejects.toMatchObject({ code: "file-unreadable", details: { path: directory } });
    rmSync(join(directory, "tutti.db"), { recursive: true });
    const store = openSqliteStore({ directory });
    await store.start();
    await store.stop();
  });
});
