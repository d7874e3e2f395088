import type { Json } from "@tutti/model";
import type { Run } from "./run.ts";
import { describe } from "./values.ts";

const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const encoder = new TextEncoder();
// Never `fatal`: jq turns invalid UTF-8 into replacement characters. A leading U+FEFF is data here.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

// Arguments of one call; far below what a host's stack holds.
const CHUNK_LENGTH = 4_096;

export function encodeBase64(text: string): string {
  const bytes = encoder.encode(text);
  let binary = "";
  for (let start = 0; start < bytes.length; start += CHUNK_LENGTH) {
    binary += String.fromCharCode(...bytes.subarray(start, start + CHUNK_LENGTH));
  }
  return btoa(binary);
}

export function encodeBase32(run: Run, text: string): string {
  // One step per character, unlike base64, which the host does.
  run.spend(text.length);
  return encodeBits(encoder.encode(text), { alphabet: BASE32, bits: 5, group: 8 });
}

interface Encoding {
  readonly alphabet: string;
  readonly bits: number;
  /** Characters to which the result is padded. */
  readonly group: number;
}

function encodeBits(bytes: Uint8Array, { alphabet, bits, group }: Encoding): string {
  let text = "";
  let pending = 0;
  let count = 0;
  for (const byte of bytes) {
    pending = ((pending << 8) | byte) & 0xfff_ffff;
    count += 8;
    while (count >= bits) {
      count -= bits;
      text += alphabet[(pending >>> count) & ((1 << bits) - 1)];
    }
  }
  if (count > 0) text += alphabet[(pending << (bits - count)) & ((1 << bits) - 1)];
  return text.padEnd(Math.ceil(text.length / group) * group, "=");
}

/** Padding is optional; anything else outside the alphabet, or bits that make no byte, is an error. */
export function decodeBase64(run: Run, text: string, original: Json): string {
  run.spend(text.length >>> 2);
  const digits = withoutPadding(text);
  if (/[^A-Za-z0-9+/]/.test(digits)) throw run.raise(`${describe(run, original)} is not valid base64 data`);
  if (digits.length % 4 === 1) throw run.raise(`${describe(run, original)} trailing base64 byte found`);
  const binary = atob(digits);
  return decoder.decode(Uint8Array.from(binary, (character) => character.charCodeAt(0)));
}

export function decodeBase32(run: Run, text: string, original: Json): string {
  run.spend(text.length);
  const digits = withoutPadding(text);
  if (/[^A-Z2-7]/.test(digits)) throw run.raise(`${describe(run, original)} is not valid base32 data`);
  return decodeBits(digits, BASE32, 5);
}

/** Not by `/=+$/`, which takes quadratic time for `=` in the middle. */
function withoutPadding(text: string): string {
  let end = text.length;
  while (end > 0 && text[end - 1] === "=") end--;
  return text.slice(0, end);
}

function decodeBits(digits: string, alphabet: string, bits: number): string {
  const bytes = new Uint8Array(Math.floor((digits.length * bits) / 8));
  let pending = 0;
  let count = 0;
  let position = 0;
  for (const digit of digits) {
    pending = ((pending << bits) | alphabet.indexOf(digit)) & 0xfff_ffff;
    count += bits;
    if (count >= 8) {
      count -= 8;
      bytes[position++] = (pending >>> count) & 0xff;
    }
  }
  return decoder.decode(bytes);
}
