import { describe, expect, test } from "vitest";
import { Network } from "./network.ts";
import { NetworkPolicy, type NetworkRules } from "./network-policy.ts";

const policy = (rules: Partial<NetworkRules> = {}): NetworkPolicy => new NetworkPolicy({ mode: "local", allow: [], deny: [], ...rules });

/** Address · allowed in mode `local` · allowed in mode `public`; first and last of each range and their neighbours. */
const ADDRESSES = `
  1.1.1.1 yes yes
  8.8.8.8 yes yes
  93.184.216.34 yes yes
  223.255.255.255 yes yes
  2606:4700:4700::1111 yes yes
  2a00:1450:4001:81b::200e yes yes
  0.0.0.0 no no
  0.0.0.1 no no
  0.255.255.255 no no
  1.0.0.0 yes yes
  9.255.255.255 yes yes
  10.0.0.0 yes no
  10.255.255.255 yes no
  11.0.0.0 yes yes
  100.63.255.255 yes yes
  100.64.0.0 yes no
  100.100.100.199 yes no
  100.100.100.200 no no
  100.100.100.201 yes no
  100.127.255.255 yes no
  100.128.0.0 yes yes
  126.255.255.255 yes yes
  127.0.0.1 yes no
  127.0.0.2 yes no
  127.255.255.255 yes no
  128.0.0.0 yes yes
  168.63.129.15 yes yes
  168.63.129.16 no no
  168.63.129.17 yes yes
  169.253.255.255 yes yes
  169.254.0.0 no no
  169.254.169.253 no no
  169.254.169.254 no no
  169.254.170.2 no no
  169.254.255.255 no no
  169.255.0.0 yes yes
  172.15.255.255 yes yes
  172.16.0.0 yes no
  172.31.255.255 yes no
  172.32.0.0 yes yes
  191.255.255.255 yes yes
  192.0.0.1 yes no
  192.0.0.192 no no
  192.0.0.255 yes no
  192.0.1.0 yes yes
  192.0.2.1 yes no
  192.88.99.1 yes no
  192.167.255.255 yes yes
  192.168.0.0 yes no
  192.168.255.255 yes no
  192.169.0.0 yes yes
  198.17.255.255 yes yes
  198.18.0.0 yes no
  198.19.255.255 yes no
  198.20.0.0 yes yes
  198.51.100.7 yes no
  203.0.113.7 yes no
  224.0.0.1 no no
  239.255.255.255 no no
  240.0.0.1 no no
  255.255.255.255 no no
  :: no no
  ::1 yes no
  0:0:0:0:0:0:0:1 yes no
  fe80::1 no no
  fe80::1%eth0 no no
  febf:ffff::1 no no
  fec0::1 yes no
  fc00::1 yes no
  fd12:3456:789a::1 yes no
  fdff:ffff::1 yes no
  fd00:ec2::253 yes no
  fd00:ec2::254 no no
  fd20:ce::254 no no
  ff02::1 no no
  ff0e::1 no no
  2001:db8::1 yes no
  3fff::1 yes no
  100::1 yes no
  5f00::1 yes no
  ::ffff:1.1.1.1 yes yes
  ::ffff:127.0.0.1 yes no
  ::ffff:7f00:1 yes no
  ::ffff:10.1.2.3 yes no
  ::ffff:169.254.169.254 no no
  ::ffff:a9fe:a9fe no no
  0:0:0:0:0:ffff:a9fe:a9fe no no
  ::ffff:0.0.0.0 no no
  ::169.254.169.254 no no
  ::a9fe:a9fe no no
  ::127.0.0.1 yes no
  ::8.8.8.8 yes yes
  ::ffff:0:169.254.169.254 no no
  ::ffff:0:127.0.0.1 yes no
  64:ff9b::8.8.8.8 yes yes
  64:ff9b::169.254.169.254 no no
  64:ff9b::a9fe:a9fe no no
  64:ff9b::127.0.0.1 yes no
  64:ff9b::c0a8:1 yes no
  64:ff9b:1::8.8.8.8 no no
  64:ff9b:1:a9fe:a9:fe00:: no no
  64:ff9b:1:102:3:400:0:1 no no
  64:ff9b:1:102:3:400:808:808 yes no
  64:ff9b:1:102:3:400:a9fe:a9fe no no
  2002:a9fe:a9fe::1 no no
  2002:7f00:1::1 yes no
  2002:0a00:0001::1 yes no
  2002:0808:0808::1 yes yes
  2001:0:a9fe:a9fe::f7f7:f7f7 no no
  2001:0:808:808::5601:5601 no no
  2001:0:808:808::80ff:fffe yes no
  2001:0:808:808::f7f7:f7f7 yes yes
  2001:db9::5efe:169.254.169.254 no no
  2001:db9::200:5efe:a9fe:a9fe no no
  2001:db9::5efe:8.8.8.8 yes yes
`
  .trim()
  .split("\n")
  .map((line) => line.trim().split(" ") as [string, string, string]);

/** Hosts in URLs that mean an address without looking like it, and which one. Source: the URL standard's IPv4 and IPv6 parsers. */
const SPELLINGS: readonly (readonly [string, string])[] = [
  ["2852039166", "169.254.169.254"],
  ["0xa9fea9fe", "169.254.169.254"],
  ["0xA9FEA9FE", "169.254.169.254"],
  ["0251.0376.0251.0376", "169.254.169.254"],
  ["0xa9.0xfe.0xa9.0xfe", "169.254.169.254"],
  ["169.254.43518", "169.254.169.254"],
  ["169.16689662", "169.254.169.254"],
  ["0xa9.254.0251.254", "169.254.169.254"],
  ["025177524776", "169.254.169.254"],
  ["169.254.169.254.", "169.254.169.254"],
  ["１６９.２５４.１６９.２５４", "169.254.169.254"],
  ["①⑥⑨.②⑤④.①⑥⑨.②⑤④", "169.254.169.254"],
  ["169。254。169。254", "169.254.169.254"],
  ["%31%36%39.254.169.254", "169.254.169.254"],
  ["[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]"],
  ["[0:0:0:0:0:FFFF:A9FE:A9FE]", "[::ffff:a9fe:a9fe]"],
  ["[64:ff9b::169.254.169.254]", "[64:ff9b::a9fe:a9fe]"],
  ["[fe80::1]", "[fe80::1]"],
  ["[FD00:EC2::254]", "[fd00:ec2::254]"],
  ["0", "0.0.0.0"],
  ["0x0", "0.0.0.0"],
  ["00000", "0.0.0.0"],
  ["0.0", "0.0.0.0"],
  ["[::]", "[::]"],
  ["4294967295", "255.255.255.255"],
];

describe("addresses", () => {
  test("the table has enough rows to be worth its name", () => {
    expect(ADDRESSES.length * 3 + SPELLINGS.length).toBeGreaterThanOrEqual(250);
  });

  test.each(ADDRESSES)("%s: local %s, public %s", (address, local, isPublic) => {
    const verdict = (rules: Partial<NetworkRules>): string => (policy(rules).refusal(address, address) === undefined ? "yes" : "no");
    expect([verdict({}), verdict({ mode: "public" }), verdict({ mode: "listed" })]).toEqual([local, isPublic, "no"]);
  });

  test.each(SPELLINGS)("http://%s/ is %s and refused", (spelling, meant) => {
    const { hostname } = new URL(`http://${spelling}/`);
    expect(hostname).toBe(meant);
    expect(() => new Network().checkHost(hostname)).toThrow(/may not be called: it is/);
  });

  test("the control: without the checks none of them would be refused", () => {
    const open = new Network({ rules: { mode: "local", allow: ["0.0.0.0/0", "::/0"], deny: [] } });
    for (const [address] of ADDRESSES) expect(() => open.checkHost(address)).not.toThrow();
  });
});

describe("rules", () => {
  const metadata = "169.254.169.254";

  test("a listed address or range lifts even what is never meant; a name does not", () => {
    expect(policy({ allow: [metadata] }).refusal(metadata, metadata)).toBeUndefined();
    expect(policy({ allow: ["169.254.0.0/16"] }).refusal("metadata.example", metadata)).toBeUndefined();
    expect(policy({ allow: [metadata] }).refusal("x.example", "::ffff:169.254.169.254")).toBeUndefined();
    expect(policy({ allow: ["metadata.example"] }).refusal("metadata.example", metadata)).toContain("metadata services");
    expect(policy({ allow: ["fe80::/10"] }).refusal("fe80::1%eth0", "fe80::1%eth0")).toBeUndefined();
  });

  test("deny comes before allow, by name and by address, in every form of the address", () => {
    const both = policy({ allow: ["10.0.0.1", "a.example"], deny: ["10.0.0.0/8", "a.example"] });
    expect(both.refusal("10.0.0.1", "10.0.0.1")).toBe("its address is on the deny list");
    expect(both.refusal("b.example", "::ffff:10.9.9.9")).toBe("its address is on the deny list");
    expect(both.refusal("b.example", "64:ff9b::10.9.9.9")).toBe("its address is on the deny list");
    expect(both.refusal("A.EXAMPLE.", "8.8.8.8")).toBe("it is on the deny list");
    expect(both.refusal("b.example", "8.8.8.8")).toBeUndefined();
  });

  test("public: a listed name may be private; others may not", () => {
    const rules = policy({ mode: "public", allow: ["*.corp.example", "bücher.example"] });
    expect(rules.refusal("git.corp.example", "10.0.0.1")).toBeUndefined();
    expect(rules.refusal("deep.git.corp.example", "10.0.0.1")).toBeUndefined();
    expect(rules.refusal("xn--bcher-kva.example", "10.0.0.1")).toBeUndefined();
    for (const host of ["corp.example", "evilcorp.example", "corp.example.evil.example", "10.0.0.1"]) {
      expect(rules.refusal(host, "10.0.0.1")).toContain("private");
    }
  });

  test("listed: only names and ranges of the list", () => {
    const rules = policy({ mode: "listed", allow: ["api.example", "10.1.0.0/16"] });
    expect(rules.refusal("api.example", "8.8.8.8")).toBeUndefined();
    expect(rules.refusal("other.example", "10.1.2.3")).toBeUndefined();
    expect(rules.refusal("other.example", "8.8.8.8")).toBe("it is not on the allow list");
    expect(rules.refusal("10.2.0.1", "10.2.0.1")).toBe("it is not on the allow list");
  });

  test.each([
    "",
    "10.0.0.0/33",
    "10.1.2.3/8",
    "1.2.3",
    "256.1.1.1",
    "http://x",
    "a b",
    "*.",
    "*",
    "x.*.example",
    "fe80::/129",
    "-x.example",
    "10.0.0.0/8/8",
  ])("%j is refused as a rule, by name", (rule) => {
    expect(() => policy({ deny: [rule] })).toThrow(expect.objectContaining({ code: "settings-invalid" }));
  });

  test("what is no address is refused, never let through", () => {
    expect(policy().refusal("x.example", "garbage")).toContain("no IP address");
    expect(policy().refusal("x.example", "")).toContain("no IP address");
  });
});
