import type { Token } from "@tutti/model";
import { isJsonObject, type Json, type JsonObject } from "@tutti/model";
import type { Nft } from "./nft.ts";

/** nft's comments hold 128 bytes, the end of the text included. */
const PIECE_CHARACTERS = 120;
const FAMILY = "inet";
const CHAIN = "note";

/**
 * What was there before a change, kept in a table of the token's own: its chain is hooked nowhere, so no packet ever sees it, and its rules' comments
 * hold the text. It is made in the same transaction as the change, so there is never one without the other.
 */
export function noteCommands(token: Token, before: Json): readonly JsonObject[] {
  const name = noteTable(token);
  const pieces =
    Buffer.from(JSON.stringify({ before }))
      .toString("base64url")
      .match(new RegExp(`.{1,${PIECE_CHARACTERS}}`, "g")) ?? [];
  return [
    { create: { table: { family: FAMILY, name } } },
    { add: { chain: { family: FAMILY, table: name, name: CHAIN } } },
    ...pieces.map((comment) => ({ add: { rule: { family: FAMILY, table: name, chain: CHAIN, comment, expr: [{ return: null }] } } })),
  ];
}

/** What was kept under the token; undefined when nothing was. */
export async function readNote(nft: Nft, token: Token): Promise<{ readonly before: Json } | undefined> {
  const listed = await nft.table(FAMILY, noteTable(token));
  if (listed === undefined) return undefined;
  try {
    const read = JSON.parse(Buffer.from(listed.rules.map(({ comment }) => comment).join(""), "base64url").toString("utf8")) as Json;
    return isJsonObject(read) && read["before"] !== undefined ? { before: read["before"] } : undefined;
  } catch {
    return undefined;
  }
}

export async function removeNote(nft: Nft, token: Token): Promise<void> {
  await nft.transaction([{ delete: { table: { family: FAMILY, name: noteTable(token) } } }]);
}

function noteTable(token: Token): string {
  return `tutti_note_${token}`;
}

export function isNoteTable(table: string): boolean {
  return table.startsWith("tutti_note_tok_");
}
