import { hash } from "node:crypto";
import { type Json, PAYLOAD_INLINE_BYTES } from "@tutti/model";
import type { Payload, RecordBody } from "./store.ts";

/**
 * Makes the text of a record, with values over the inline limit taken out so that a run's history stays small and equal values are stored once.
 *
 * A marker stands in the text where a value was; `offset` says where, so that data which merely looks like a marker is never taken for one.
 * The smallest values over the limit are cut, never the whole record: a document handed from task to task then has the same hash each time.
 * The limit counts UTF-16 units, which is what can be had without a second pass. `text` is the record's JSON, for callers that make it faster.
 */
export function encodeRecord(
  record: { readonly type: string; readonly at: number },
  inlineLimit = PAYLOAD_INLINE_BYTES,
  text = JSON.stringify(record),
): RecordBody {
  if (text.length <= inlineLimit) return { type: record.type, atMs: record.at, text };
  const cutter = new Cutter(inlineLimit);
  // The text just written is parsed again so that `toJSON` and undefined members are out of the way. Rare: only records over the limit.
  cutter.writeRecord(JSON.parse(text) as Record<string, Json>);
  return { type: record.type, atMs: record.at, text: cutter.text(), payloads: cutter.payloads };
}

/** Puts the values back: the text that `encodeRecord` would have made without a limit. */
export function restoreText(
  text: string,
  places: readonly { readonly offset: number; readonly hash: string }[],
  load: (hash: string) => string,
): string {
  let restored = "";
  let end = 0;
  for (const place of places) {
    restored += text.slice(end, place.offset) + load(place.hash);
    end = place.offset + markerOf(place.hash).length;
  }
  return restored + text.slice(end);
}

/** Whether the text of a payload is the one that was stored. */
export function payloadHash(text: string): string {
  return hash("sha256", text, "hex");
}

/** For people who read the database; machines go by the offset. */
function markerOf(hashText: string): string {
  return `{"$payload":"${hashText}"}`;
}

class Cutter {
  readonly payloads: Payload[] = [];
  readonly #limit: number;
  #pieces: string[] = [];
  #length = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  text(): string {
    return this.#pieces.join("");
  }

  writeRecord(record: Readonly<Record<string, Json>>): void {
    this.#writeMembers(record);
  }

  #write(value: Json): void {
    const firstPiece = this.#pieces.length;
    const offset = this.#length;
    const payloadsBefore = this.payloads.length;
    if (typeof value !== "object" || value === null) this.#push(JSON.stringify(value));
    else if (Array.isArray(value)) this.#writeItems(value as readonly Json[]);
    else this.#writeMembers(value as Readonly<Record<string, Json>>);
    const hasInnerPayload = this.payloads.length > payloadsBefore;
    if (this.#length - offset > this.#limit && !hasInnerPayload) this.#cut(firstPiece, offset);
  }

  #writeItems(items: readonly Json[]): void {
    this.#push("[");
    items.forEach((item, index) => {
      if (index > 0) this.#push(",");
      this.#write(item);
    });
    this.#push("]");
  }

  #writeMembers(object: Readonly<Record<string, Json>>): void {
    let separator = "{";
    for (const key of Object.keys(object)) {
      this.#push(`${separator}${JSON.stringify(key)}:`);
      // Own key of the object that is being walked.
      this.#write(object[key] as Json);
      separator = ",";
    }
    this.#push(separator === "{" ? "{}" : "}");
  }

  #cut(firstPiece: number, offset: number): void {
    const text = this.#pieces.splice(firstPiece).join("");
    const payload = { hash: payloadHash(text), text, offset };
    this.payloads.push(payload);
    this.#length = offset;
    this.#push(markerOf(payload.hash));
  }

  #push(piece: string): void {
    this.#pieces.push(piece);
    this.#length += piece.length;
  }
}
