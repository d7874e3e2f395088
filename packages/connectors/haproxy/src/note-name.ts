import { isJsonObject, type Json, type Token } from "@tutti/model";

/** What the names of our notes begin with. */
export const NOTE_PREFIX = "tutti-note.";

/** The name of the note of a token: what was there before stands in it. Names of servers take letters, digits and `-_.:`. */
export function noteName(token: Token, before: Json): string {
  return `${notesOf(token)}${Buffer.from(JSON.stringify({ before })).toString("base64url")}`;
}

/** What all notes of a token begin with. */
export function notesOf(token: Token): string {
  return `${NOTE_PREFIX}${token}.`;
}

/** What was there before, as a note's name says; undefined when it can't be read. */
export function beforeIn(name: string): { readonly before: Json } | undefined {
  const written = name.slice(name.lastIndexOf(".") + 1);
  try {
    const read = JSON.parse(Buffer.from(written, "base64url").toString("utf8")) as Json;
    return isJsonObject(read) && read["before"] !== undefined ? { before: read["before"] } : undefined;
  } catch {
    return undefined;
  }
}
