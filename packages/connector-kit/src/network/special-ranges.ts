import { type IpRange, parseRange } from "./ip-address.ts";

/** A range of addresses that are no ordinary hosts of the internet. */
export interface SpecialRange {
  readonly range: IpRange;
  /** In a message: "… is a link-local address". */
  readonly what: string;
}

/**
 * Nothing that a workflow means to call: metadata services hand the machine's own credentials to whoever asks, link-local addresses are their
 * usual place, and the others are no destinations at all. Refused everywhere, unless the operator lists the address itself.
 *
 * Sources: the special-purpose registries (RFC 6890), and the documentation of the clouds for their metadata addresses.
 */
export const NEVER_MEANT: readonly SpecialRange[] = [
  special("169.254.169.254", "the address of cloud metadata services"),
  special("fd00:ec2::254", "the address of a cloud metadata service (AWS)"),
  special("fd20:ce::254", "the address of a cloud metadata service (Google)"),
  special("100.100.100.200", "the address of a cloud metadata service (Alibaba)"),
  special("192.0.0.192", "the address of a cloud metadata service (Oracle)"),
  special("168.63.129.16", "the address of a cloud platform service (Azure)"),
  special("169.254.0.0/16", "a link-local address"),
  special("fe80::/10", "a link-local address"),
  special("0.0.0.0/8", "an address of this host without a network"),
  special("::", "the unspecified address"),
  special("224.0.0.0/4", "a multicast address"),
  special("ff00::/8", "a multicast address"),
  special("240.0.0.0/4", "a reserved or broadcast address"),
];

/** Networks of one's own and ranges without hosts: refused where only the public internet may be called. */
export const NOT_PUBLIC: readonly SpecialRange[] = [
  special("127.0.0.0/8", "a loopback address"),
  special("::1", "a loopback address"),
  special("10.0.0.0/8", "a private address"),
  special("172.16.0.0/12", "a private address"),
  special("192.168.0.0/16", "a private address"),
  special("100.64.0.0/10", "an address shared behind a provider"),
  special("fc00::/7", "a private address"),
  special("fec0::/10", "a private address (site-local)"),
  special("64:ff9b:1::/48", "an address translated by the local network"),
  special("192.0.0.0/24", "an address for protocol use"),
  special("192.88.99.0/24", "a retired relay address"),
  special("198.18.0.0/15", "an address for benchmarks"),
  special("192.0.2.0/24", "an address for documentation"),
  special("198.51.100.0/24", "an address for documentation"),
  special("203.0.113.0/24", "an address for documentation"),
  special("2001:db8::/32", "an address for documentation"),
  special("3fff::/20", "an address for documentation"),
  special("100::/64", "an address whose packets are dropped"),
  special("5f00::/16", "an address for segment routing"),
];

function special(text: string, what: string): SpecialRange {
  const range = parseRange(text);
  if (range === undefined) throw new Error(`"${text}" is no range`);
  return { range, what };
}
