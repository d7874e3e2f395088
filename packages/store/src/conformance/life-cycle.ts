import { expect } from "vitest";
import { commitOf, commitOne, idOf, type StoreTest } from "./fixtures.ts";

/** Start, stop, what is known of the last stop, and who is suspected of having caused a crash. */
export function describeLifeCycle(test: StoreTest): void {
  test("a stopped store refuses calls; stop may be called again", async ({ store }) => {
    await store.stop();
    await store.stop();
    await expect(store.loadRun(idOf(1))).rejects.toMatchObject({ code: "stopping" });
    await expect(store.commit({ runs: [commitOf(1, 0)] })).rejects.toMatchObject({ code: "stopping" });
  });

  test("an orderly stop is remembered, a crash is not", async ({ store, reopen }) => {
    expect(store.stoppedCleanly).toBe(false);
    await store.stop();
    const second = await reopen();
    expect(second.stoppedCleanly).toBe(true);
    const third = await reopen();
    expect(third.stoppedCleanly).toBe(false);
  });

  test("a second call of start changes nothing", async ({ store }) => {
    await commitOne(store, commitOf(1, 0));
    await store.start();
    expect(await store.loadRun(idOf(1))).toBeDefined();
  });

  test("the run that was marked when the process died is suspected; crashes in a row are counted", async ({ store, reopen }) => {
    expect(await store.readSuspects()).toEqual([]);
    await store.markSuspect(idOf(1));
    const second = await reopen();
    expect(await second.readSuspects()).toEqual([{ runId: idOf(1), crashes: 1 }]);
    const third = await reopen();
    expect(await third.readSuspects()).toEqual([{ runId: idOf(1), crashes: 1 }]);
    await third.markSuspect(idOf(1));
    const fourth = await reopen();
    expect(await fourth.readSuspects()).toEqual([{ runId: idOf(1), crashes: 2 }]);
    await fourth.clearSuspects();
    expect(await (await reopen()).readSuspects()).toEqual([]);
  });

  test("a mark that the process survived is no longer suspected", async ({ store, reopen }) => {
    await store.markSuspect(idOf(1));
    const second = await reopen();
    await second.markSuspect(idOf(1));
    await second.markSuspect(idOf(2));
    const third = await reopen();
    expect(await third.readSuspects()).toEqual([{ runId: idOf(2), crashes: 1 }]);
    await third.markSuspect(idOf(2));
    await third.markSuspect(undefined);
    expect(await (await reopen()).readSuspects()).toEqual([]);
  });

  test("an orderly stop that leaves suspects counts as none, and keeps what was counted", async ({ store, reopen }) => {
    await store.markSuspect(idOf(1));
    const second = await reopen();
    await second.stop({ leavesSuspects: true });
    const third = await reopen();
    expect(third.stoppedCleanly).toBe(false);
    expect(await third.readSuspects()).toEqual([{ runId: idOf(1), crashes: 1 }]);
    await third.stop();
    expect((await reopen()).stoppedCleanly).toBe(true);
  });

  test("an orderly stop suspects nobody", async ({ store, reopen }) => {
    await store.markSuspect(idOf(1));
    await store.stop();
    expect(await (await reopen()).readSuspects()).toEqual([]);
  });
}
