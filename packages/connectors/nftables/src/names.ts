import { isIP, SocketAddress } from "node:net";
import { z } from "@tutti/connector-kit";
import { Token } from "@tutti/model/schemas";

export const Family = z.enum(["inet", "ip", "ip6"]).default("inet").meta({ description: "Family of the table" });
/** nft's own rule for names. */
const Name = z.string().regex(/^[A-Za-z_][\w./-]{0,127}$/, "a name of nftables: a letter, then letters, digits and _ . / -");
export const TableName = Name.meta({ description: "Name of the table" });
export const ChainName = Name.meta({ description: "Name of the chain" });
export const SetName = Name.meta({ description: "Name of the set" });
export const Interface = z
  .string()
  .regex(/^[\w.@-]{1,15}$/, "the name of a network interface")
  .meta({ description: "Name of the network interface" });

/** `10.0.0.1`, `10.0.0.0/24`, `2001:db8::1`, `2001:db8::/32`. */
export const AddressText = z
  .string()
  .max(64)
  .refine((text) => addressOf(text) !== undefined, "an IPv4 or IPv6 address, or a network as address/length without bits after its length")
  .meta({ description: "Address or network: 10.0.0.1, 10.0.0.0/24, 2001:db8::/32" });

/** nft's comments hold 128 bytes; the token takes 37 of them with the space after it. */
export const Comment = z
  .string()
  .min(1)
  .max(80)
  .regex(/^[ !#-[\]-~]+$/, "letters, digits and signs of ASCII without quotes and backslashes")
  .refine((text) => !TOKEN.test(text), "no text that begins as a token")
  .meta({ description: "For the people who read the rules" });

const TOKEN = /^tok_[0-9a-f]{32}(?= |$)/;

/** A comment of ours: the token first. */
export function commentOf(token: string | null, comment: string | null): string {
  return [token, comment].filter((part) => part !== null && part !== "").join(" ");
}

export function readComment(text: string): { readonly token: string | null; readonly comment: string | null } {
  const [token] = TOKEN.exec(text) ?? [];
  const rest = (token === undefined ? text : text.slice(token.length)).trim();
  return { token: token === undefined ? null : Token.parse(token), comment: rest === "" ? null : rest };
}

/** An address or network: of which family, and how it is written. */
export interface Address {
  readonly family: 4 | 6;
  readonly address: string;
  /** Bits of the network; undefined for a single address. */
  readonly length: number | undefined;
}

/** Undefined when it is neither. */
export function addressOf(text: string): Address | undefined {
  const [address = "", length, more] = text.split("/");
  const family = isIP(address);
  if (more !== undefined || address.includes("%") || (family !== 4 && family !== 6)) return undefined;
  const bits = family === 4 ? 32 : 128;
  const canonical = family === 4 ? address : new SocketAddress({ address, family: "ipv6" }).address;
  if (length === undefined) return { family, address: canonical, length };
  if (!/^\d{1,3}$/.test(length) || Number(length) > bits || Number(length) === 0) return undefined;
  if (Number(length) === bits) return { family, address: canonical, length: undefined };
  const isNetwork = (valueOf(canonical, family) & ((1n << BigInt(bits - Number(length))) - 1n)) === 0n;
  return isNetwork ? { family, address: canonical, length: Number(length) } : undefined;
}

/** As it is written in ids and outputs. */
export function textOf({ address, length }: Address): string {
  return length === undefined ? address : `${address}/${length}`;
}

function valueOf(address: string, family: 4 | 6): bigint {
  if (family === 4) return address.split(".").reduce((value, part) => (value << 8n) + BigInt(part), 0n);
  const [head = "", tail] = address.split("::");
  const groups = (text: string): bigint[] =>
    (text === "" ? [] : text.split(":")).flatMap((group) => {
      if (!group.includes(".")) return [BigInt(`0x${group}`)];
      const whole = valueOf(group, 4);
      return [whole >> 16n, whole & 0xffffn];
    });
  const before = groups(head);
  const after = tail === undefined ? [] : groups(tail);
  const between = Array.from({ length: 8 - before.length - after.length }, () => 0n);
  return [...before, ...between, ...after].reduce((value, group) => (value << 16n) + group, 0n);
}
