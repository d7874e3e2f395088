import { expect } from "vitest";
import type { FeedEntry, Store } from "../store.ts";
import { commitOf, commitOne, idOf, rowOf, type StoreTest, T0 } from "./fixtures.ts";

/** What was committed is read again in the order of the commits, from any position on. */
export function describeFeed(test: StoreTest): void {
  test("each run's part of each commit is one entry, in the order of the commits", async ({ store, reopen }) => {
    expect(await store.feedEnd()).toBe(0);
    expect(await store.readFeed(0, 10)).toEqual([]);
    await store.commit({ runs: [commitOf(2, 0, { count: 2 }), commitOf(1, 0)] });
    await commitOne(store, commitOf(1, 5));
    await commitOne(store, commitOf(1, 1, { count: 0, row: rowOf({ status: "waiting" }) }));
    await commitOne(store, commitOf(1, 1, { count: 3 }));
    const feed = await store.readFeed(0, 10);
    expect(feed.map(withoutPosition)).toEqual([part(2, 1, 2), part(1, 1, 1), part(1, 2, 4)]);
    expect(feed.map(({ position }) => position)).toEqual(feed.map(({ position }) => position).toSorted((a, b) => a - b));
    expect(await store.readFeed(feed[0]?.position ?? 0, 1)).toEqual([feed[1]]);
    expect(await store.feedEnd()).toBe(feed[2]?.position);
    const again = await reopen();
    expect(await again.readFeed(feed[1]?.position ?? 0, 10)).toEqual([feed[2]]);
  });

  test("no position is given twice, also when the last entries were deleted and the process died", async ({ store, reopen }) => {
    await commitOne(store, commitOf(1, 0));
    await finish(store, 2);
    await finish(store, 3);
    const end = await store.feedEnd();
    await store.condemnRuns([idOf(2), idOf(3)]);
    expect((await store.readFeed(0, 10)).map(({ runId }) => runId)).toEqual([idOf(1), undefined, undefined]);
    while (!(await store.sweepRuns([idOf(2), idOf(3)])));
    expect((await store.readFeed(0, 10)).map(({ runId }) => runId)).toEqual([idOf(1)]);
    expect(await store.feedEnd()).toBe(end);
    await commitOne(store, commitOf(1, 1));
    expect((await store.readFeed(end, 10)).map(withoutPosition)).toEqual([part(1, 2, 2)]);
    await finish(store, 4);
    const later = await store.feedEnd();
    await store.condemnRuns([idOf(4)]);
    while (!(await store.sweepRuns([idOf(4)])));
    const again = await reopen();
    await commitOne(again, commitOf(1, 2));
    expect((await again.readFeed(later, 10)).map(withoutPosition)).toEqual([part(1, 3, 3)]);
    expect((await again.check()).damage).toEqual([]);
  });
}

function part(run: number, seqFirst: number, seqLast: number): Omit<FeedEntry, "position"> {
  return { runId: idOf(run), seqFirst, seqLast };
}

function withoutPosition({ runId, seqFirst, seqLast }: FeedEntry): Omit<FeedEntry, "position"> {
  return { runId, seqFirst, seqLast };
}

async function finish(store: Store, number: number): Promise<void> {
  await commitOne(store, commitOf(number, 0, { row: rowOf({ status: "completed", endedAtMs: T0 + 1 }) }));
}
