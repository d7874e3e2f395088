import { describe, test as vitestTest } from "vitest";
import { describeCommits } from "./conformance/commits.ts";
import { describeDefinitions } from "./conformance/definitions.ts";
import { describeEvents } from "./conformance/events.ts";
import { describeFeed } from "./conformance/feed.ts";
import type { OpenStore, StoreTest } from "./conformance/fixtures.ts";
import { describeLeases, type SharedStoreUnderTest } from "./conformance/leases.ts";
import { describeLifeCycle } from "./conformance/life-cycle.ts";
import { describeLists } from "./conformance/lists.ts";
import { describeProviders } from "./conformance/providers.ts";
import { describeSchedules } from "./conformance/schedules.ts";
import { describeRetention } from "./conformance/retention.ts";
import { describeSlots } from "./conformance/slots.ts";

export type { OpenStore, StoreUnderTest } from "./conformance/fixtures.ts";
export type { SharedStoreUnderTest } from "./conformance/leases.ts";
export { commitOf, commitOne, idOf, recordTexts, rowOf, T0, TENANT, textOf } from "./conformance/fixtures.ts";

/** The suite that says what a store is; every implementation passes it. `open` gives a started, empty store. */
export function describeStore(name: string, open: OpenStore): void {
  describe(`${name}`, () => {
    const test = testOn(open);
    describe("commits", () => {
      describeCommits(test);
    });
    describe("feed", () => {
      describeFeed(test);
    });
    describe("lists", () => {
      describeLists(test);
    });
    describe("definitions", () => {
      describeDefinitions(test);
    });
    describe("events and messages", () => {
      describeEvents(test);
    });
    describe("schedules", () => {
      describeSchedules(test);
    });
    describe("providers", () => {
      describeProviders(test);
    });
    describe("slots", () => {
      describeSlots(test);
    });
    describe("retention", () => {
      describeRetention(test);
    });
    describe("life cycle", () => {
      describeLifeCycle(test);
    });
  });
}

/** What is promised besides by a store that several nodes share. `open` gives an empty place. */
export function describeSharedStore(name: string, open: () => Promise<SharedStoreUnderTest>): void {
  describe(`${name}: leases`, () => {
    describeLeases((title, body) => {
      vitestTest(`${title}`, async () => {
        const under = await open();
        try {
          await body(under);
        } finally {
          await under.close();
        }
      });
    });
  });
}

/** A test with a fresh store that is closed whatever happens. */
function testOn(open: OpenStore): StoreTest {
  return (name, body) => {
    vitestTest(`${name}`, async () => {
      const under = await open();
      try {
        await body(under);
      } finally {
        await under.close();
      }
    });
  };
}
