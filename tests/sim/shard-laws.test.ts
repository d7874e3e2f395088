import { SHARDS } from "@tutti/store";
import { createRandom } from "@tutti/testkit";
import { describe, expect, test } from "vitest";
import { Scheduler } from "./scheduler.ts";
import { ShardLaws } from "./shard-laws.ts";

const LEASE_MS = 10_000;
const ENDS = { events: 0, messages: 0, schedules: 0 };
const ALL = Array.from({ length: SHARDS }, (_, shard) => ({ shard, epoch: 1 }));

/** Laws that have seen one node claim every shard, at moment 0. */
function claimed(): { readonly laws: ShardLaws; readonly scheduler: Scheduler } {
  const scheduler = new Scheduler(createRandom(1));
  const laws = new ShardLaws(scheduler);
  const claims = ALL.map((one) => ({ ...one, isClean: true, eventsUpTo: 0 }));
  laws.beaten("node_a1", { keep: [], leaseMs: LEASE_MS, mayClaim: true }, { kept: [], claimed: claims, share: SHARDS, ends: ENDS });
  return { laws, scheduler };
}

describe("every shard has an owner that lives", () => {
  const owned = (laws: ShardLaws, ...living: readonly string[]): (() => void) => {
    return () => laws.checkOwned(new Set(living));
  };

  test("holds while the owner lives and its lease lasts", () => {
    const { laws, scheduler } = claimed();
    expect(owned(laws, "node_a1")).not.toThrow();
    expect(owned(laws, "node_b1")).toThrow("node_a1");
    scheduler.nowMs = LEASE_MS;
    expect(owned(laws, "node_a1")).toThrow("taken over");
  });

  test("lets a shard be on its way from one to the other for two seconds", () => {
    const { laws, scheduler } = claimed();
    laws.handedOver("node_a1", ALL.slice(0, 1));
    scheduler.nowMs = 1999;
    expect(owned(laws, "node_a1")).not.toThrow();
    scheduler.nowMs = 2000;
    expect(owned(laws, "node_a1")).toThrow("shard 0");
  });
});
