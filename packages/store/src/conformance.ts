import { describe } from "vitest";
import { describeCommits } from "./conformance/commits.ts";
import { describeDefinitions } from "./conformance/definitions.ts";
import { describeEvents } from "./conformance/events.ts";
import { type OpenStore, testOn } from "./conformance/fixtures.ts";
import { describeLifeCycle } from "./conformance/life-cycle.ts";
import { describeLists } from "./conformance/lists.ts";
import { describeSlots } from "./conformance/slots.ts";

export type { OpenStore, StoreUnderTest } from "./conformance/fixtures.ts";
export { commitOf, commitOne, idOf, recordTexts, rowOf, T0, TENANT, textOf } from "./conformance/fixtures.ts";

/** The suite that says what a store is; every implementation passes it. `open` gives a started, empty store. */
export function describeStore(name: string, open: OpenStore): void {
  describe(`${name}`, () => {
    const test = testOn(open);
    describe("commits", () => {
      describeCommits(test);
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
    describe("slots", () => {
      describeSlots(test);
    });
    describe("life cycle", () => {
      describeLifeCycle(test);
    });
  });
}
