import { expect } from "vitest";
import type { BeatAnswer, Leases, OwnedShard } from "../leases.ts";
import { shardOf, SHARDS } from "../shards.ts";
import type { RunCommit, Store } from "../store.ts";
import { commitOf, commitOne, eventOf, idOf, recordTexts, rowOf, T0, TENANT, textOf } from "./fixtures.ts";

/** A place that nodes share, with a clock of its own. */
export interface SharedStoreUnderTest {
  /** The started store of another node; its id begins with `node_`. */
  readonly openNode: (nodeId: string) => Promise<Store>;
  /** Lets the store's clock go on. */
  readonly pass: (ms: number) => Promise<void>;
  readonly close: () => Promise<void>;
}
export type SharedStoreTest = (name: string, body: (under: SharedStoreUnderTest) => Promise<void>) => void;

const LEASE_MS = 10_000;
const BEAT = { keep: [], leaseMs: LEASE_MS, mayClaim: true };
const ALL = new Set(Array.from({ length: SHARDS }, (_, shard) => shard));

/** What a store that nodes share promises: one owner per shard, growing epochs, commits of former owners refused, messages for whoever owns the receiver. */
export function describeLeases(test: SharedStoreTest): void {
  test("the first node gets all shards, the second a fair share of what is handed over", async ({ openNode }) => {
    const first = leasesOf(await openNode("node_a"));
    const second = leasesOf(await openNode("node_b"));
    const mine = await first.beat(BEAT);
    expect(mine.claimed.map(({ shard }) => shard).toSorted((a, b) => a - b)).toEqual([...ALL]);
    expect(mine).toMatchObject({ kept: [], share: SHARDS });
    expect(await second.beat(BEAT)).toMatchObject({ claimed: [], share: SHARDS / 2 });
    const given = mine.claimed.slice(0, 5);
    await first.handOver(
      given.map((one) => ({ ...one, isClean: true })),
      { leaves: false },
    );
    const theirs = await second.beat(BEAT);
    expect(theirs.claimed).toEqual(given.map(({ shard, epoch }) => ({ shard, epoch: epoch + 1, isClean: true, eventsUpTo: 0 })));
    expect((await first.beat({ ...BEAT, keep: owned(mine) })).kept).toEqual(owned(mine).slice(5));
  });

  test("of two nodes that claim at once, each shard has one winner", async ({ openNode }) => {
    const nodes = await Promise.all(["node_a", "node_b", "node_c"].map((id) => openNode(id)));
    const answers = await Promise.all(nodes.map((store) => leasesOf(store).beat(BEAT)));
    const shards = answers.flatMap(({ claimed }) => claimed.map(({ shard }) => shard));
    expect(new Set(shards).size).toBe(shards.length);
  });

  test("a lease that has run out is claimed by another node under a higher epoch, and is not renewed", async ({ openNode, pass }) => {
    const first = leasesOf(await openNode("node_a"));
    const second = leasesOf(await openNode("node_b"));
    const mine = await first.beat(BEAT);
    await pass(LEASE_MS - 1);
    expect((await second.beat(BEAT)).claimed).toEqual([]);
    await pass(1);
    const theirs = await second.beat(BEAT);
    expect(theirs.claimed).toHaveLength(SHARDS);
    for (const { shard, epoch, isClean } of theirs.claimed) {
      expect(epoch).toBeGreaterThan(epochIn(mine, shard));
      expect(isClean).toBe(false);
    }
    expect((await first.beat({ ...BEAT, keep: owned(mine) })).kept).toEqual([]);
  });

  test("a renewed lease lasts; one that has run out unseen is claimed anew, also by the same node", async ({ openNode, pass }) => {
    const leases = leasesOf(await openNode("node_a"));
    const first = await leases.beat(BEAT);
    await pass(LEASE_MS - 1);
    expect((await leases.beat({ ...BEAT, keep: owned(first) })).kept).toHaveLength(SHARDS);
    await pass(LEASE_MS - 1);
    expect((await leases.beat({ ...BEAT, keep: owned(first) })).kept).toHaveLength(SHARDS);
    await pass(LEASE_MS);
    const again = await leases.beat({ ...BEAT, keep: owned(first) });
    expect(again.kept).toEqual([]);
    for (const { shard, epoch } of again.claimed) expect(epoch).toBe(epochIn(first, shard) + 1);
  });

  test("a node that claims nothing keeps what it has", async ({ openNode }) => {
    const leases = leasesOf(await openNode("node_a"));
    expect(await leases.beat({ ...BEAT, mayClaim: false })).toMatchObject({ kept: [], claimed: [] });
    const { claimed } = await leases.beat(BEAT);
    expect((await leases.beat({ ...BEAT, keep: claimed, mayClaim: false })).kept).toHaveLength(SHARDS);
  });

  test("a commit under an epoch that is over is fenced, alone; a commit without one too", async ({ openNode, pass }) => {
    const zombie = await openNode("node_a");
    const next = await openNode("node_b");
    const old = await leasesOf(zombie).beat(BEAT);
    expect((await commitOne(zombie, under(old, commitOf(1, 0)))).verdict).toBe("committed");
    expect((await commitOne(zombie, commitOf(2, 0))).verdict).toBe("fenced");
    await pass(LEASE_MS);
    const now = await leasesOf(next).beat(BEAT);
    expect((await commitOne(next, under(now, commitOf(1, 1)))).verdict).toBe("committed");
    const message = { toRunId: idOf(1), body: "late" };
    const { verdicts } = await zombie.commit({ runs: [under(old, commitOf(1, 2, { send: [message] })), under(now, commitOf(3, 0))] });
    expect(verdicts.map(({ verdict }) => verdict)).toEqual(["fenced", "committed"]);
    expect(await recordTexts(next, 1)).toEqual([textOf(1, 1), textOf(1, 2)]);
    expect(await next.readMessages(0, 10)).toEqual([]);
  });

  test("what was handed over is claimed by others only; the giver keeps the rest", async ({ openNode }) => {
    const store = await openNode("node_a");
    const other = await openNode("node_b");
    const mine = await leasesOf(store).beat(BEAT);
    await leasesOf(store).handOver(
      owned(mine).map((one) => ({ ...one, isClean: true })),
      { leaves: true },
    );
    const theirs = await leasesOf(other).beat(BEAT);
    expect(theirs.claimed).toHaveLength(SHARDS);
    expect((await commitOne(store, under(mine, commitOf(1, 0)))).verdict).toBe("fenced");
    // What is no longer its own is left alone.
    await leasesOf(store).handOver(
      owned(mine).map((one) => ({ ...one, isClean: true })),
      { leaves: false },
    );
    expect((await leasesOf(other).beat({ ...BEAT, keep: owned(theirs) })).kept).toHaveLength(SHARDS);
  });

  test("runnable and due runs, and messages, are listed for some shards", async ({ openNode }) => {
    const store = await openNode("node_a");
    const now = await leasesOf(store).beat(BEAT);
    await commitOne(store, under(now, commitOf(1, 0, { send: [{ toRunId: idOf(2), body: 1 }] })));
    await commitOne(store, under(now, commitOf(2, 0, { row: rowOf({ status: "waiting", wakeAtMs: T0 + 5 }) })));
    const one = new Set([shardOf(idOf(1))]);
    const two = new Set([shardOf(idOf(2))]);
    expect(one).not.toEqual(two);
    expect(await store.listRunnable(undefined, 10, one)).toEqual([idOf(1)]);
    expect(await store.listRunnable(undefined, 10, two)).toEqual([]);
    expect(await store.listDue(T0 + 5, 10, two)).toEqual([{ runId: idOf(2), wakeAtMs: T0 + 5 }]);
    expect(await store.listDue(T0 + 5, 10, one)).toEqual([]);
    expect(await store.nextWakeAt(two)).toBe(T0 + 5);
    expect(await store.nextWakeAt(one)).toBeUndefined();
    expect((await store.readMessages(0, 10, { shards: two, nodeId: "node_a" })).map(({ body }) => body)).toEqual([1]);
    expect(await store.readMessages(0, 10, { shards: one, nodeId: "node_a" })).toEqual([]);
  });

  test("messages reach the new owner; those to a node only this one, as long as it lives", async ({ openNode, pass }) => {
    const store = await openNode("node_a");
    const other = await openNode("node_b");
    const mine = await leasesOf(store).beat(BEAT);
    await leasesOf(other).beat(BEAT);
    await commitOne(
      store,
      under(
        mine,
        commitOf(1, 0, {
          send: [
            { toRunId: idOf(2), body: "hello" },
            { toRunId: "node_b", body: "answer" },
          ],
        }),
      ),
    );
    expect((await other.readMessages(0, 10, { shards: ALL, nodeId: "node_b" })).map(({ body }) => body)).toEqual(["hello", "answer"]);
    expect((await other.readMessages(0, 10, { shards: ALL, nodeId: "node_c" })).map(({ body }) => body)).toEqual(["hello"]);
    await pass(LEASE_MS);
    const third = await openNode("node_c");
    await leasesOf(third).beat(BEAT);
    expect((await third.readMessages(0, 10)).map(({ body }) => body)).toEqual(["hello"]);
    expect(await leasesOf(third).exchange({ send: [{ to: "node_b", body: 1 }], drop: [] })).toEqual([]);
  });

  test("an exchange writes and drops together, or nothing under an epoch that is over", async ({ openNode, pass }) => {
    const store = await openNode("node_a");
    const now = await leasesOf(store).beat(BEAT);
    const [first] = (await leasesOf(store).exchange({ send: [{ to: idOf(1), body: "order" }], drop: [] })) ?? [];
    const [own] = owned(now);
    expect(first?.body).toBe("order");
    await pass(LEASE_MS);
    await leasesOf(await openNode("node_b")).beat(BEAT);
    const late = { send: [{ to: idOf(2), body: "late" }], drop: [first?.position ?? 0] };
    expect(await leasesOf(store).exchange({ ...late, under: own as OwnedShard })).toBeUndefined();
    expect((await store.readMessages(0, 10)).map(({ body }) => body)).toEqual(["order"]);
    expect(await leasesOf(store).exchange(late)).toMatchObject([{ toRunId: idOf(2), body: "late" }]);
    expect((await store.readMessages(0, 10)).map(({ body }) => body)).toEqual(["late"]);
  });

  test("each shard has its own cursor; a former owner does not move it", async ({ openNode, pass }) => {
    const store = await openNode("node_a");
    const mine = await leasesOf(store).beat(BEAT);
    await store.acceptEvent(eventOf("1"));
    const [first, second] = owned(mine);
    await leasesOf(store).writeCursors(1, [first as OwnedShard]);
    expect(await store.deleteEventsBefore(T0 + 1)).toBe(0);
    await pass(LEASE_MS);
    const theirs = await leasesOf(await openNode("node_b")).beat(BEAT);
    const cursorOf = (one: OwnedShard | undefined): number | undefined =>
      theirs.claimed.find(({ shard }) => shard === one?.shard)?.eventsUpTo;
    expect([cursorOf(first), cursorOf(second)]).toEqual([1, 0]);
    await leasesOf(store).writeCursors(1, owned(mine));
    await leasesOf(store).writeCursors(1, owned(theirs).slice(0, -1));
    expect(await store.deleteEventsBefore(T0 + 1)).toBe(0);
    await leasesOf(store).writeCursors(1, owned(theirs));
    expect(await store.deleteEventsBefore(T0 + 1)).toBe(1);
  });

  test("other nodes are woken by messages, events and schedules", async ({ openNode }) => {
    const store = await openNode("node_a");
    const other = await openNode("node_b");
    const now = await leasesOf(store).beat(BEAT);
    let woken = 0;
    const end = leasesOf(other).onWake(() => (woken += 1));
    const ends: number[] = [];
    const write = async (work: () => Promise<unknown>): Promise<void> => {
      await work();
      ends.push(Math.min(woken, 1));
      woken = 0;
    };
    await write(() => commitOne(store, under(now, commitOf(1, 0, { send: [{ toRunId: idOf(2), body: 1 }] }))));
    await write(() => store.acceptEvent(eventOf("1")));
    await write(() =>
      store.putSchedule({ tenant: TENANT, namespace: "n", name: "s", isEnabled: true, eventPosition: undefined, revision: 1, body: "{}" }),
    );
    await write(() => leasesOf(store).exchange({ send: [{ to: idOf(1), body: 1 }], drop: [] }));
    end();
    await write(() => store.acceptEvent(eventOf("2")));
    expect(ends).toEqual([1, 1, 1, 1, 0]);
    const grown = await leasesOf(other).beat(BEAT);
    expect(grown.ends).toEqual({ events: 2, messages: 2, schedules: 1 });
  });

  test("whom a dead node had marked is suspected by the next owner; crashes in a row are counted", async ({ openNode, pass }) => {
    let store = await openNode("node_a");
    await leasesOf(store).beat(BEAT);
    for (let life = 1; life <= 2; life += 1) {
      await store.markSuspect(`${idOf(1)}@1 load`);
      await pass(LEASE_MS);
      store = await openNode(`node_${life}`);
      await leasesOf(store).beat(BEAT);
      expect(await store.readSuspects()).toEqual([{ runId: `${idOf(1)}@1 load`, crashes: life }]);
    }
    await store.clearSuspects(new Set([shardOf(idOf(1)) + 1]));
    expect(await store.readSuspects()).toHaveLength(1);
    await store.clearSuspects(new Set([shardOf(idOf(1))]));
    expect(await store.readSuspects()).toEqual([]);
  });
}

function leasesOf(store: Store): Leases {
  if (store.leases === undefined) throw new Error("The store is not shared.");
  return store.leases;
}

function owned({ claimed }: BeatAnswer): readonly OwnedShard[] {
  return claimed.map(({ shard, epoch }) => ({ shard, epoch }));
}

function epochIn({ claimed }: BeatAnswer, shard: number): number {
  return claimed.find((one) => one.shard === shard)?.epoch ?? 0;
}

function under(answer: BeatAnswer, commit: RunCommit): RunCommit {
  return { ...commit, epoch: epochIn(answer, shardOf(commit.runId)) };
}
