import { createHash } from "node:crypto";

/** What a host is known by: a whole key, or the digest of one. */
export interface KnownKey {
  /** `ssh-ed25519`; undefined when only the fingerprint is known. */
  readonly type: string | undefined;
  /** As `ssh-keygen -l` shows it: `SHA256:…`. */
  readonly fingerprint: string;
}

const FINGERPRINT = /^SHA256:([A-Za-z0-9+/]{43})=?$/;
const KEY_TYPE = /^(?:ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521))$/;
/** How a host with a key of this type may prove it; SHA-1 is not among them. */
const PROOFS: Readonly<Record<string, readonly string[]>> = { "ssh-rsa": ["rsa-sha2-512", "rsa-sha2-256"] };

/** A fingerprint, a public key, or a line of a known_hosts file; undefined when it is none of these. */
export function readKnownKey(text: string): KnownKey | undefined {
  const words = text.trim().split(/\s+/);
  const digest = FINGERPRINT.exec(words[0] ?? "")?.[1];
  if (digest !== undefined && words.length === 1) return { type: undefined, fingerprint: `SHA256:${digest}` };
  const at = words.findIndex((word) => KEY_TYPE.test(word));
  const type = words[at];
  const key = Buffer.from(words[at + 1] ?? "", "base64");
  // A key says its own type once more.
  if (type === undefined || at > 1 || typeOf(key) !== type) return undefined;
  return { type, fingerprint: fingerprintOf(key) };
}

/** The digest of a key as hosts send it, the way `ssh-keygen -l` shows it. */
export function fingerprintOf(key: Buffer): string {
  return `SHA256:${createHash("sha256").update(key).digest("base64").replace(/=+$/, "")}`;
}

/** The type that a key names itself; empty when it is no key. */
export function typeOf(key: Buffer): string {
  if (key.length < 4) return "";
  const length = key.readUInt32BE(0);
  return length > 64 || key.length < 4 + length ? "" : key.toString("latin1", 4, 4 + length);
}

/** The proofs to ask the host for, so that it shows a key that is known; undefined when any will do. */
export function proofsFor(known: readonly KnownKey[]): readonly string[] | undefined {
  if (known.length === 0 || known.some(({ type }) => type === undefined)) return undefined;
  return [...new Set(known.flatMap(({ type = "" }) => PROOFS[type] ?? [type]))];
}
