import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { commitOf, commitOne, idOf, recordTexts } from "@tutti/store/fixtures";
import { expect, test } from "vitest";
import type { CommitPlace } from "./commit-policy.ts";
import { openSqliteStore, type SqliteStore } from "./sqlite-store.ts";

const DISK_MIB = 8;
const BALLAST_MIB = 4;
/** A record that fills the disk in some hundred commits. */
const LARGE_TEXT = JSON.stringify({ type: "fact", at: 0, text: "x".repeat(40_000) });
/** Far more than fits. */
const COMMITS_MAX = 1000;

const isMountable = tryMount();

for (const place of ["main", "worker"] as const) {
  test.skipIf(!isMountable)(
    `a full disk is said so, loses nothing, and commits go on when there is room again, commits on: ${place}`,
    async () => {
      await withSmallDisk(async (disk) => {
        const ballast = join(disk, "ballast");
        writeFileSync(ballast, Buffer.alloc(BALLAST_MIB * 1024 * 1024));
        const directory = join(disk, "data");
        const store = await startStore(directory, place);
        const committed = await fill(store);
        // Every further write is refused, reads go on.
        await expect(commitOne(store, largeCommit(committed))).rejects.toMatchObject({ code: "store-full" });
        await expect(commitOne(store, { ...largeCommit(0), runId: idOf(2) })).rejects.toMatchObject({ code: "store-full" });
        expect(await recordTexts(store, 1)).toHaveLength(committed);
        expect(await store.loadRun(idOf(2))).toBeUndefined();
        rmSync(ballast);
        expect(await commitOne(store, largeCommit(committed))).toMatchObject({ verdict: "committed" });
        expect(await recordTexts(store, 1)).toHaveLength(committed + 1);
        await store.abandon();
        const next = await startStore(directory, place);
        expect(await recordTexts(next, 1)).toHaveLength(committed + 1);
        expect((await next.check()).damage).toEqual([]);
        await next.stop();
      });
    },
  );
}

test.skipIf(!isMountable)("control: the same writes on a disk with room are all committed", async () => {
  const parent = mkdtempSync(join(tmpdir(), "tutti-store-"));
  try {
    const store = await startStore(join(parent, "data"), "main");
    for (let seq = 0; seq < (DISK_MIB * 1024 * 1024) / LARGE_TEXT.length; seq++) {
      expect(await commitOne(store, largeCommit(seq))).toMatchObject({ verdict: "committed" });
    }
    await store.stop();
  } finally {
    rmSync(parent, { recursive: true });
  }
});

async function startStore(directory: string, place: CommitPlace): Promise<SqliteStore> {
  const store = openSqliteStore({ directory, commitPolicy: { choose: () => place, record: () => undefined } });
  await store.start();
  return store;
}

function largeCommit(expectedSeq: number) {
  return commitOf(1, expectedSeq, { records: [{ type: "fact", atMs: 0, text: LARGE_TEXT }] });
}

/** Commits until the disk is full; gives the number of commits that were acknowledged. */
async function fill(store: SqliteStore): Promise<number> {
  for (let seq = 0; seq < COMMITS_MAX; seq++) {
    try {
      await commitOne(store, largeCommit(seq));
    } catch (error) {
      expect(error).toMatchObject({ code: "store-full" });
      return seq;
    }
  }
  throw new Error("The disk never became full.");
}

async function withSmallDisk(use: (disk: string) => Promise<void>): Promise<void> {
  const disk = mkdtempSync(join(tmpdir(), "tutti-disk-"));
  try {
    mount(disk);
    await use(disk);
  } finally {
    unmount(disk);
  }
}

/** @throws when the mount stays: it would take the machine's memory, and the next test would test nothing. */
function unmount(disk: string): void {
  const { status, stderr } = spawnSync("umount", [disk], { encoding: "utf8" });
  if (status !== 0) throw new Error(`The small disk could not be unmounted: ${stderr}`);
  rmSync(disk, { recursive: true });
}

function mount(disk: string): boolean {
  return spawnSync("mount", ["-t", "tmpfs", "-o", `size=${DISK_MIB}m`, "tmpfs", disk]).status === 0;
}

/** Mounting needs root; without it these tests are shown as skipped. */
function tryMount(): boolean {
  const disk = mkdtempSync(join(tmpdir(), "tutti-disk-"));
  mkdirSync(disk, { recursive: true });
  const isMounted = mount(disk);
  if (isMounted) spawnSync("umount", [disk]);
  rmSync(disk, { recursive: true });
  return isMounted;
}

test.skipIf(!isMountable)("the log never fills a small disk: it is written back before", async () => {
  await withSmallDisk(async (disk) => {
    const store = await startStore(join(disk, "data"), "main");
    try {
      // The log of all these is several times the disk; what they store is a small part of it.
      for (let number = 0; number < COMMITS_MAX; number++)
        await store.acceptEvent({ tenant: "t", source: "s", id: `${number}`, type: "t", acceptedAtMs: 0, body: '"x"' });
    } finally {
      await store.abandon();
    }
  });
});
