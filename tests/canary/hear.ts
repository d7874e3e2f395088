import { ENCODINGS } from "./encodings.ts";

/** Finds the secrets in what was sent. */
export type Hear = (text: string) => readonly string[];

/** Who logs in under this name is refused, with what was given. */
export const REFUSED = "refused";

/** Every encoding of every secret. */
export function toldOn(secrets: readonly string[]): string {
  return JSON.stringify(Object.entries(ENCODINGS).map(([name, encode]) => [name, ...secrets.map(encode)]));
}
