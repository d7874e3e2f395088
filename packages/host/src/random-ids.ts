import { randomFillSync } from "node:crypto";

const ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz";
const LENGTH = 16;
/** The largest multiple of 36 in a byte: bytes from here on are thrown away, so that every character is equally likely. */
const UNBIASED_BELOW = 252;
/** Bytes fetched at once: a call of the generator costs about as much whatever it fetches, and a run should not pay it alone. */
const POOL_BYTES = 4096;

/** Makes ids of 16 characters from the system's generator: 82 bits. */
export function createRandomIds(): () => string {
  const pool = new Uint8Array(POOL_BYTES);
  let next = POOL_BYTES;
  return () => {
    let id = "";
    while (id.length < LENGTH) {
      if (next === POOL_BYTES) {
        randomFillSync(pool);
        next = 0;
      }
      const byte = pool[next] as number;
      next += 1;
      if (byte < UNBIASED_BELOW) id += ALPHABET[byte % ALPHABET.length];
    }
    return id;
  };
}
