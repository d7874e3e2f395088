import { crc32 } from "node:zlib";

/** The checksum of a commit's records, bound to its place, so that a row which turns up at another run or sequence is noticed. */
export function recordChecksum(runKey: number, seqFirst: number, body: string, places: string | null): number {
  const seed = (Math.imul(runKey, 0x9e37_79b1) ^ seqFirst) >>> 0;
  const checksum = crc32(body, seed);
  return places === null ? checksum : crc32(places, checksum);
}

/** The checksum of any other row: of its values in the order given. */
export function rowChecksum(values: readonly (string | number | null)[]): number {
  return crc32(JSON.stringify(values));
}
