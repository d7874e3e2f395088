import { isIP } from "node:net";

/** An IP address as a number, so that ranges are comparisons and every spelling of one address is the same. */
export interface IpAddress {
  readonly family: 4 | 6;
  readonly value: bigint;
}

/** All addresses that share their first `prefix` bits. */
export interface IpRange {
  readonly family: 4 | 6;
  readonly value: bigint;
  readonly prefix: number;
}

const BITS = { 4: 32, 6: 128 } as const;
const LOW_32 = 0xffff_ffffn;

/**
 * Reads an address in its standard text form, with or without brackets and zone. Other spellings of IPv4 (`0x7f.1`, `2130706433`) are no
 * addresses here: URLs and name look-ups turn them into the standard form before anything connects.
 */
export function parseAddress(text: string): IpAddress | undefined {
  const bare = text.replace(/^\[(.*)\]$/, "$1").replace(/%.*$/, "");
  switch (isIP(bare)) {
    case 4:
      return { family: 4, value: parseIpv4(bare) };
    case 6:
      return { family: 6, value: parseIpv6(bare) };
    default:
      return undefined;
  }
}

/** Reads `10.0.0.0/8`, `fd00::/8`, or a single address. Bits after the prefix must be 0: `10.1.2.3/8` is a mistake, not a range. */
export function parseRange(text: string): IpRange | undefined {
  const [address, prefixText, ...more] = text.split("/");
  const parsed = parseAddress(address ?? "");
  if (parsed === undefined || more.length > 0) return undefined;
  const bits = BITS[parsed.family];
  if (prefixText === undefined) return { ...parsed, prefix: bits };
  const prefix = /^\d{1,3}$/.test(prefixText) ? Number(prefixText) : Number.NaN;
  if (!(prefix <= bits)) return undefined;
  const hostBits = BigInt(bits - prefix);
  return (parsed.value >> hostBits) << hostBits === parsed.value ? { ...parsed, prefix } : undefined;
}

export function isInRange(address: IpAddress, range: IpRange): boolean {
  if (address.family !== range.family) return false;
  const hostBits = BigInt(BITS[range.family] - range.prefix);
  return address.value >> hostBits === range.value >> hostBits;
}

/**
 * Every address that a packet to `address` may reach: itself, and the IPv4 addresses that translators and tunnels take out of it. A mapped
 * address (`::ffff:10.0.0.1`) is nothing but its IPv4 address. Sources: RFC 4291 (mapped, compatible), 6052 and 8215 (NAT64), 3056 (6to4),
 * 4380 (Teredo), 5214 (ISATAP), 7915 (translated).
 */
export function destinationsOf(address: IpAddress): readonly IpAddress[] {
  if (address.family === 4) return [address];
  const { value } = address;
  const isUnder = (prefix: bigint, length: number): boolean => value >> BigInt(128 - length) === prefix;
  const ipv4 = (bits: bigint): IpAddress => ({ family: 4, value: bits & LOW_32 });
  if (isUnder(0xffffn, 96)) return [ipv4(value)];
  const found = [address];
  // IPv4-compatible; :: and ::1 are addresses of their own.
  if (isUnder(0n, 96) && value > 1n) found.push(ipv4(value));
  // IPv4-translated, ::ffff:0:a.b.c.d.
  if (isUnder(0xffff_0000n, 96)) found.push(ipv4(value));
  // NAT64, the well-known prefix.
  if (isUnder(0x64_ff9b_0000_0000_0000_0000n, 96)) found.push(ipv4(value));
  // NAT64 for local use: where the address lies depends on the prefix's length, /48 and /96 are in use.
  if (isUnder(0x64_ff9b_0001n, 48)) {
    found.push(ipv4(value));
    found.push(ipv4((((value >> 64n) & 0xffffn) << 16n) | ((value >> 40n) & 0xffffn)));
  }
  // 6to4.
  if (isUnder(0x2002n, 16)) found.push(ipv4(value >> 80n));
  // Teredo: the server, and the client with its bits turned over.
  if (isUnder(0x2001_0000n, 32)) found.push(ipv4(value >> 64n), ipv4(~value & LOW_32));
  // ISATAP: an interface identifier ::0:5efe:a.b.c.d, or ::200:5efe:a.b.c.d.
  const identifier = (value >> 32n) & LOW_32;
  if (identifier === 0x5efen || identifier === 0x0200_5efen) found.push(ipv4(value));
  return found;
}

function parseIpv4(text: string): bigint {
  return text.split(".").reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);
}

function parseIpv6(text: string): bigint {
  // The last 32 bits may be written as IPv4.
  const dotted = /(?<=:)[\d.]+\.[\d.]+$/.exec(text)?.[0];
  const low = dotted === undefined ? undefined : parseIpv4(dotted);
  const hex =
    low === undefined ? text : `${text.slice(0, -(dotted ?? "").length)}${(low >> 16n).toString(16)}:${(low & 0xffffn).toString(16)}`;
  const [head = "", tail] = hex.split("::");
  const before = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => "0");
  return [...before, ...zeros, ...after].reduce((sum, part) => (sum << 16n) | BigInt(`0x${part}`), 0n);
}
