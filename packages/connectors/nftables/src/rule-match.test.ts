import { expect, test } from "vitest";
import { addressOf, commentOf, readComment, textOf } from "./names.ts";
import { Match, ruleStatements } from "./rule-match.ts";
import { readRuleset } from "./ruleset.ts";

const SETS = [
  { family: "inet", table: "t", name: "v4", type: "ipv4_addr", flags: [], "auto-merge": false, elem: [] },
  { family: "inet", table: "t", name: "v6", type: "ipv6_addr", flags: [], "auto-merge": false, elem: [] },
  { family: "inet", table: "t", name: "ports", type: "inet_service", flags: [], "auto-merge": false, elem: [] },
];

function statements(match: object): unknown {
  return ruleStatements({ match: Match.parse(match), verdict: "accept", counter: false }, SETS).slice(0, -1);
}

test.each([
  [{ source: "10.0.0.1" }, [{ match: { op: "==", left: { payload: { protocol: "ip", field: "saddr" } }, right: "10.0.0.1" } }]],
  [
    { destination: ["2001:DB8::/32", "::1"] },
    [
      {
        match: {
          op: "==",
          left: { payload: { protocol: "ip6", field: "daddr" } },
          right: { set: [{ prefix: { addr: "2001:db8::", len: 32 } }, "::1"] },
        },
      },
    ],
  ],
  [{ source: "@v6" }, [{ match: { op: "==", left: { payload: { protocol: "ip6", field: "saddr" } }, right: "@v6" } }]],
  [{ protocol: "icmp" }, [{ match: { op: "==", left: { meta: { key: "l4proto" } }, right: "icmp" } }]],
  [
    { protocol: "udp", sourcePorts: [53], destinationPorts: [53, "1000-2000"] },
    [
      { match: { op: "==", left: { payload: { protocol: "udp", field: "sport" } }, right: 53 } },
      { match: { op: "==", left: { payload: { protocol: "udp", field: "dport" } }, right: { set: [53, { range: [1000, 2000] }] } } },
    ],
  ],
  [{}, []],
])("%j in nft's JSON", (match, expected) => {
  expect(statements(match)).toEqual(expected);
});

test.each([
  [{ source: "@nothing" }, "no set nothing"],
  [{ source: "@ports" }, "does not hold addresses"],
  [{ source: ["10.0.0.1", "::1"] }, "make two rules"],
])("%j is refused", (match, problem) => {
  expect(() => statements(match)).toThrow(problem);
});

test.each([
  ["10.0.0.0/8", "10.0.0.0/8"],
  ["10.0.0.1/32", "10.0.0.1"],
  ["2001:DB8:0:0::/32", "2001:db8::/32"],
  ["::ffff:10.0.0.0/104", "::ffff:10.0.0.0/104"],
  ["10.0.0.1/8", undefined],
  ["2001:db8::1/32", undefined],
  ["10.0.0.0/0", undefined],
  ["10.0.0.0/33", undefined],
  ["10.0.0.0/8/8", undefined],
  ["fe80::1%eth0", undefined],
  ["10.0.0", undefined],
  ["", undefined],
])("%s is the address or network %s", (given, written) => {
  const address = addressOf(given);
  expect(address === undefined ? undefined : textOf(address)).toBe(written);
});

test("a comment holds the token and a text, either, or neither", () => {
  const token = `tok_${"a".repeat(32)}`;
  for (const [of, text] of [
    [token, "for people"],
    [token, null],
    [null, "for people"],
    [null, null],
  ] as const)
    expect(readComment(commentOf(of, text))).toEqual({ token: of, comment: text });
  expect(readComment(`${token}x`)).toEqual({ token: null, comment: `${token}x` });
});

test.each([
  "",
  "{}",
  "[]",
  '{"nftables":[]}',
  '{"nftables":[{"table":{"family":"inet","name":"t"}}]}',
  '{"nftables":[{"metainfo":{}},{}]}',
])("%j is no list of nft's", (text) => {
  expect(readRuleset(text)).toBeUndefined();
});

test("a list has its version, and what is not known in it is passed over", () => {
  const text = JSON.stringify({
    nftables: [{ metainfo: { version: "1.0.6" } }, { flowtable: {} }, { table: { family: "ip", name: "t", handle: 1 } }],
  });
  expect(readRuleset(text)).toEqual({ version: "1.0.6", tables: [{ family: "ip", name: "t" }], chains: [], sets: [], rules: [] });
});
