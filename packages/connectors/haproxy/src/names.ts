import { isIP, SocketAddress } from "node:net";
import { z } from "@tutti/connector-kit";
import { NOTE_PREFIX } from "./note-name.ts";

/** What HAProxy takes in names of backends and servers; nothing in it can end a word of a command. */
const NAME = /^[A-Za-z0-9_.:-]{1,128}$/;

export const PoolName = z.string().regex(NAME, "letters, digits and -_.:").meta({ description: "Name of the pool: a backend of HAProxy" });
export const MemberName = z
  .string()
  .regex(NAME, "letters, digits and -_.:")
  .refine((name) => !name.startsWith(NOTE_PREFIX), `a name that does not begin with ${NOTE_PREFIX}`)
  .meta({ description: "Name of the server in the pool" });
export const Address = z
  .string()
  .refine((address) => isIP(address) !== 0, "an IPv4 or IPv6 address")
  .meta({ description: "IPv4 or IPv6 address" });
export const Port = z.int().min(1).max(65_535);
export const Weight = z.int().min(0).max(256);

/** A file as HAProxy's configuration names it, or `#` and the number that HAProxy gave it. */
export const FileName = z
  .string()
  .max(1024)
  .regex(/^[\w@%+=:,./-]+$/, "a path without spaces, as it stands in HAProxy's configuration");
/** Keys, patterns and values: no space, and nothing that HAProxy's command line reads as more than a letter. */
export const Word = z
  .string()
  .max(1024)
  .regex(/^[\w!#$%&()*+,./:=>?@[\]^{|}~-]+$/, "letters, digits and signs without spaces, quotes, semicolons, backslashes and <")
  .refine((word) => !word.startsWith("#"), "no word that begins with #, which means a number of an entry");

/** An address as HAProxy writes it: IPv6 in small letters and short. */
export function canonicalAddress(address: string): string {
  return isIP(address) === 6 ? new SocketAddress({ address, family: "ipv6" }).address : address;
}
