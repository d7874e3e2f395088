import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Canary } from "./canaries.ts";

/** A part of a canary where none may be. */
export interface Leak {
  readonly secret: string;
  readonly encoding: "plain" | "base64" | "hex" | "UTF-16";
  readonly where: string;
  /** What stands around it, for people. */
  readonly around: string;
}

/** So much of a core in a row counts as found: half a secret is a leak, too, and chance does not make it. */
const PLAIN_LENGTH = 9;
const BASE64_LENGTH = 11;
const HEX_LENGTH = 16;
/** Leaks that are told of one place. */
const LEAKS_MAX = 20;

interface Needles {
  readonly length: number;
  readonly encoding: Leak["encoding"];
  readonly byText: Map<string, string>;
  /** First two characters of any of them. */
  readonly beginnings: Uint8Array;
}

/**
 * Finds parts of canaries in anything: texts, database pages, archives. Escapes for JSON, URLs, HTML and shells leave letters and digits as they
 * are, so the plain parts find them all; base64 (each alignment), hexadecimal and UTF-16 have parts of their own.
 */
export class Scanner {
  readonly #needles: readonly Needles[];

  constructor(canaries: readonly Canary[]) {
    const plain = new Map<string, string>();
    const base64 = new Map<string, string>();
    const hex = new Map<string, string>();
    const wide = new Map<string, string>();
    for (const { name, cores } of canaries) {
      for (const core of cores) {
        addWindows(plain, core, { name, length: PLAIN_LENGTH });
        addWindows(wide, Buffer.from(core, "utf16le").toString("latin1"), { name, length: 2 * PLAIN_LENGTH });
        for (const text of [core.slice(0, -1), core]) {
          const digits = Buffer.from(text).toString("hex");
          addWindows(hex, digits, { name, length: HEX_LENGTH });
          addWindows(hex, digits.toUpperCase(), { name, length: HEX_LENGTH });
        }
        for (const offset of [0, 1, 2]) {
          const whole = Buffer.from("\0".repeat(offset) + core)
            .toString("base64")
            .replaceAll("=", "");
          addWindows(base64, whole.slice(Math.ceil((offset * 4) / 3), -1), { name, length: BASE64_LENGTH });
        }
      }
    }
    this.#needles = [
      needlesOf(plain, "plain", PLAIN_LENGTH),
      needlesOf(base64, "base64", BASE64_LENGTH),
      needlesOf(hex, "hex", HEX_LENGTH),
      needlesOf(wide, "UTF-16", 2 * PLAIN_LENGTH),
    ];
  }

  /** Leaks in `content`, each secret and encoding once. */
  scan(where: string, content: Buffer | string): readonly Leak[] {
    // One character a byte, whatever it is.
    const text = (typeof content === "string" ? Buffer.from(content) : content).toString("latin1");
    const found = new Map<string, Leak>();
    for (const { length, encoding, byText, beginnings } of this.#needles) {
      for (let at = 0; at + length <= text.length && found.size < LEAKS_MAX; at += 1) {
        if (beginnings[(text.charCodeAt(at) << 8) | text.charCodeAt(at + 1)] === 0) continue;
        const secret = byText.get(text.substring(at, at + length));
        if (secret === undefined || found.has(`${secret} ${encoding}`)) continue;
        const around = text.slice(Math.max(0, at - 80), at + length + 40).replaceAll(/[^\x20-\x7e]+/g, "·");
        found.set(`${secret} ${encoding}`, { secret, encoding, where, around });
      }
    }
    return [...found.values()];
  }

  /** Leaks in all files below `directory` and in their names, but those whose path `isAllowed` lets pass. What vanishes meanwhile is gone. */
  scanDirectory(
    directory: string,
    isAllowed: (path: string) => boolean = () => false,
  ): { readonly leaks: readonly Leak[]; readonly bytes: number } {
    const leaks: Leak[] = [];
    let bytes = 0;
    const walk = (path: string): void => {
      if (isAllowed(path)) return;
      const found = lstatSync(path, { throwIfNoEntry: false });
      if (found?.isDirectory() === true) {
        for (const name of readNames(path)) {
          leaks.push(...this.scan(`the name ${path}/${name}`, name));
          walk(join(path, name));
        }
      } else if (found?.isFile() === true) {
        const content = readBytes(path);
        bytes += content.length;
        leaks.push(...this.scan(path, content));
      }
    };
    walk(directory);
    return { leaks, bytes };
  }
}

function addWindows(to: Map<string, string>, text: string, { name, length }: { readonly name: string; readonly length: number }): void {
  for (let at = 0; at + length <= text.length; at += 1) to.set(text.slice(at, at + length), name);
}

function needlesOf(byText: Map<string, string>, encoding: Leak["encoding"], length: number): Needles {
  const beginnings = new Uint8Array(1 << 16);
  for (const text of byText.keys()) beginnings[(text.charCodeAt(0) << 8) | text.charCodeAt(1)] = 1;
  return { byText, encoding, length, beginnings };
}

function readNames(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function readBytes(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch {
    return Buffer.alloc(0);
  }
}
