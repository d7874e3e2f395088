import { describe, expect, test } from "vitest";
import { attribute, child, readXml, textOf, writeXml, xml } from "./xml.ts";

describe("XML", () => {
  test("whatever stands in texts and attributes is escaped, and read again as it was", () => {
    const hostile = `</name><evil a="1"/> & <![CDATA[ ' ]]> "`;
    const text = writeXml(xml("domain", { title: hostile, left: undefined }, xml("name", {}, hostile), undefined, xml("vcpu", {}, 2)));
    const [read, ...more] = readXml(text) ?? [];
    expect(more).toEqual([]);
    expect(textOf(child(read, "name"))).toBe(hostile.trim());
    expect([attribute(read, "title"), attribute(read, "left"), textOf(child(read, "vcpu")), child(read, "evil")]).toEqual([
      hostile,
      undefined,
      "2",
      undefined,
    ]);
  });

  test("several documents are read one after the other; what is none is none", () => {
    expect(readXml("<a/>\n\n<b/>\n")?.map(({ localName }) => localName)).toEqual(["a", "b"]);
    expect(readXml("")).toEqual([]);
    for (const text of [
      "<a>",
      "error: no",
      '{"status":"ok"}',
      "<a/> more",
      "<a b=1/>",
      "<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><a>&e;</a>",
    ])
      expect(readXml(text)).toBeUndefined();
  });
});
