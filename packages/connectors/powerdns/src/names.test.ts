import { expect, test } from "vitest";
import { canonicalName, RecordName, recordName, RecordType, ZoneName, zoneId } from "./names.ts";

test("names are as PowerDNS writes them, whoever wrote them", () => {
  expect(["Lab.Test", "lab.test."].map(canonicalName)).toEqual(["lab.test.", "lab.test."]);
});

test.each([
  ["@", "lab.test."],
  ["www", "www.lab.test."],
  ["a.b", "a.b.lab.test."],
  ["*", undefined],
  ["*.apps", "*.apps.lab.test."],
  ["WWW.lab.test", "www.lab.test."],
  ["www.lab.test.", "www.lab.test."],
  ["lab.test", "lab.test."],
  // Ends with the letters of the zone, and lies below it all the same.
  ["mylab.test", "mylab.test.lab.test."],
])("%s in lab.test", (given, whole) => {
  expect(RecordName.safeParse(given).success).toBe(whole !== undefined);
  if (whole !== undefined) expect(recordName(given, "lab.test.")).toBe(whole);
});

test("a whole name of another zone is refused with the way out", () => {
  expect(() => recordName("www.other.test.", "lab.test.")).toThrow("leave out the dot at the end, or name the right zone");
});

test.each(["", "a..b", ".lab", "lab test", "zürich.test", "a\nb", `${"a".repeat(64)}.test`, "a.".repeat(128)])("%j is no zone", (name) => {
  expect(ZoneName.safeParse(name).success).toBe(false);
});

test("SOA is not a record set that is written, and types are capitals", () => {
  expect(["A", "TLSA", "TYPE65534", "SOA", "a", ""].map((type) => RecordType.safeParse(type).success)).toEqual([
    true,
    true,
    true,
    false,
    false,
    false,
  ]);
});

test("a zone's id in URLs is as PowerDNS makes it", () => {
  expect(zoneId("0/25.2.0.192.in-addr.arpa.")).toBe("0=2F25.2.0.192.in-addr.arpa.");
  expect(zoneId("_sub.lab-1.test.")).toBe("=5Fsub.lab-1.test.");
});
