import { expect, test } from "vitest";
import { quoted } from "./tickets.ts";
import { bodyOf } from "./ticket-values.ts";

test.each([
  ["General", "'General'"],
  ["it's", String.raw`'it\'s'`],
  [String.raw`a\' OR id > 0`, String.raw`'a\\\' OR id > 0'`],
])("%s in a query stays a text", (text, query) => {
  expect(quoted(text)).toBe(query);
});

test("only what differs is sent, a status in another case does not", () => {
  const there = { status: "Open", owner: "root", priority: 3, customFields: { Hosts: ["a", "b"], Server: [] } };
  expect(bodyOf({ status: "open", owner: "root", priority: 3, customFields: { Hosts: ["a", "b"], Server: [] } }, there)).toEqual({});
  expect(bodyOf({ status: "stalled", owner: "ana", priority: 4, customFields: { Hosts: [], Server: [] } }, there)).toEqual({
    Status: "stalled",
    Owner: "ana",
    Priority: 4,
    CustomFields: { Hosts: [] },
  });
});
