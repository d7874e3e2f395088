import { expect, test } from "vitest";
import { Address, addressOf, receiversOf } from "./mail-input.ts";

test.each([
  ["ana@example.org", { name: "", address: "ana@example.org" }],
  ["  ana@example.org ", { name: "", address: "ana@example.org" }],
  ["Ana Lima <ana@example.org>", { name: "Ana Lima", address: "ana@example.org" }],
  ['"Lima, Ana" <ana@example.org>', { name: "Lima, Ana", address: "ana@example.org" }],
  ["<ana@example.org>", { name: "", address: "ana@example.org" }],
])("%s is one address", (text, address) => {
  expect(Address.safeParse(text).success).toBe(true);
  expect(addressOf(text)).toEqual(address);
});

test.each(["", "ana", "ana@", "@example.org", "a@b@c", "ana@example.org, li@example.org", "Ana <ana>", "Ana <a@b> <c@d>", "a b@c"])(
  "%j is none",
  (text) => {
    expect(Address.safeParse(text).success).toBe(false);
  },
);

test("everybody gets a mail once", () => {
  expect(receiversOf({ to: ["Ana <a@x.org>", "b@x.org"], cc: "a@x.org", bcc: ["c@x.org", "b@x.org"] })).toEqual([
    "a@x.org",
    "b@x.org",
    "c@x.org",
  ]);
});
