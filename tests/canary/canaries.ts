import { createHash } from "node:crypto";
import type { Json } from "@tutti/model";

/** What a secret looks like: `token` letters and digits; `special` what encoders escape; `unicode` also more bytes than letters; `lines` a key file; `login` a document. */
export type CanaryKind = "token" | "special" | "unicode" | "lines" | "login";

/** A secret that is in the world once, and the parts by which it is known again wherever it turns up. */
export interface Canary {
  /** As workflows name it. */
  readonly name: string;
  readonly kind: CanaryKind;
  readonly value: Json;
  /** Letters and digits that no encoder changes but base64, hexadecimal and UTF-16; the rest of the secret lies around them. */
  readonly cores: readonly string[];
}

/** Letters and digits of a core: enough to be found by a part of it and never by chance. */
const CORE_LENGTH = 14;

/** Makes canaries: always the same, each another. */
export class Canaries {
  readonly all: Canary[] = [];

  make(kind: CanaryKind): Canary {
    const number = this.all.length;
    const first = coreOf(`${number} first`);
    const second = coreOf(`${number} second`);
    const canary = { name: `c${number}`, kind, value: valueOf(kind, first, second), cores: [first, second] };
    this.all.push(canary);
    return canary;
  }

  /** Whose parts stand in a text: what a server sees of what was sent to it. */
  within(text: string): readonly Canary[] {
    return this.all.filter(({ cores }) => cores.some((core) => text.includes(core)));
  }
}

function valueOf(kind: CanaryKind, first: string, second: string): Json {
  switch (kind) {
    case "token":
      return first + second;
    case "special":
      return `${first} "q'<&>\\%$/+=;#?|*[${second}`;
    case "unicode":
      return `${first}é"✓\\ü😀'${second}`;
    case "lines":
      return `-----BEGIN ${first} KEY-----\n${`${second}/+`.repeat(4)}\n${`+/${first}`.repeat(4)}\n-----END ${first} KEY-----\n`;
    case "login":
      return { username: `user-${first}`, password: `pass "${second}'` };
  }
}

/** The texts that a secret consists of. */
export function textsOf({ value }: Canary): readonly string[] {
  return typeof value === "string" ? [value] : Object.values(value as Readonly<Record<string, string>>);
}

function coreOf(seed: string): string {
  const digits = BigInt(`0x${createHash("sha256").update(`canary ${seed}`).digest("hex")}`).toString(36);
  return digits.slice(1, 1 + CORE_LENGTH);
}
