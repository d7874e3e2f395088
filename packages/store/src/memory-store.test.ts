import { expect, test } from "vitest";
import { commitOf, commitOne, describeSharedStore, describeStore, idOf } from "./conformance.ts";
import { MemoryDisk } from "./memory-disk.ts";
import { createMemoryStore } from "./memory-store.ts";

describeStore("memory store", async () => {
  const disk = new MemoryDisk();
  const start = async () => {
    const store = createMemoryStore(disk);
    await store.start();
    return store;
  };
  const store = await start();
  return {
    store,
    reopen: async () => {
      disk.crash();
      return start();
    },
    close: async () => disk.crash(),
    damage: async (runId) => disk.damage(runId),
  };
});

describeSharedStore("memory store", async () => {
  const disk = new MemoryDisk();
  let nowMs = 0;
  return {
    openNode: async (nodeId) => {
      const store = createMemoryStore(disk, { nodeId, nowMs: () => nowMs });
      await store.start();
      return store;
    },
    pass: async (ms) => {
      nowMs += ms;
    },
    close: async () => disk.crash(),
  };
});

test("a store that was cut off can no longer write", async () => {
  const disk = new MemoryDisk();
  const zombie = createMemoryStore(disk);
  await zombie.start();
  disk.crash();
  const next = createMemoryStore(disk);
  await next.start();
  await expect(commitOne(zombie, commitOf(1, 0))).rejects.toMatchObject({ code: "stopping" });
  expect(await next.loadRun(idOf(1))).toBeUndefined();
});

test("a disk has one owner at a time", async () => {
  const disk = new MemoryDisk();
  await createMemoryStore(disk).start();
  await expect(createMemoryStore(disk).start()).rejects.toMatchObject({ code: "store-in-use" });
});
