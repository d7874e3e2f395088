import { expect, test } from "vitest";
import { commitOf, commitOne, idOf } from "./conformance.ts";
import { createFaultyStore, type Fault } from "./faulty-store.ts";
import { createMemoryStore } from "./memory-store.ts";
import type { Store } from "./store.ts";

async function faulty(...faults: readonly Fault[]): Promise<{ readonly store: Store; readonly inner: Store }> {
  const inner = createMemoryStore();
  await inner.start();
  const store = createFaultyStore(inner, ({ method, ordinal }) =>
    method === "commit" ? (faults[ordinal - 1] ?? { kind: "none" }) : { kind: "none" },
  );
  return { store, inner };
}

test("a call that failed before was not executed", async () => {
  const { store, inner } = await faulty({ kind: "failed-before" });
  await expect(commitOne(store, commitOf(1, 0))).rejects.toMatchObject({ code: "commit-outcome-unknown" });
  expect(await inner.loadRun(idOf(1))).toBeUndefined();
  expect((await commitOne(store, commitOf(1, 0))).verdict).toBe("committed");
});

test("a call that failed after was executed", async () => {
  const { store, inner } = await faulty({ kind: "failed-after" });
  await expect(commitOne(store, commitOf(1, 0))).rejects.toMatchObject({ code: "commit-outcome-unknown" });
  expect(await inner.loadRun(idOf(1))).toBeDefined();
  expect((await commitOne(store, commitOf(1, 0))).verdict).toBe("conflict");
});

test("a full store has written nothing", async () => {
  const { store, inner } = await faulty({ kind: "store-full" });
  await expect(commitOne(store, commitOf(1, 0))).rejects.toMatchObject({ code: "store-full" });
  expect(await inner.loadRun(idOf(1))).toBeUndefined();
});

test("a delayed call is executed when the delay ends", async () => {
  const gate = Promise.withResolvers<void>();
  const { store, inner } = await faulty({ kind: "delay", until: () => gate.promise });
  const pending = commitOne(store, commitOf(1, 0));
  expect(await inner.loadRun(idOf(1))).toBeUndefined();
  gate.resolve();
  expect((await pending).verdict).toBe("committed");
});

test("a late call is executed at once and answered when the delay ends", async () => {
  const gate = Promise.withResolvers<void>();
  const { store, inner } = await faulty({ kind: "late", until: () => gate.promise });
  let isAnswered = false;
  const pending = commitOne(store, commitOf(1, 0)).finally(() => {
    isAnswered = true;
  });
  expect(await inner.loadRun(idOf(1))).toBeDefined();
  expect(isAnswered).toBe(false);
  gate.resolve();
  expect((await pending).verdict).toBe("committed");
});
