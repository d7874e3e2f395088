import { z } from "@tutti/connector-kit";
import type { Token } from "@tutti/model";

/** PostgreSQL cuts longer names off without an error, and then two names are one. */
const NAME_BYTES_MAX = 63;
const COMMENT_CHARACTERS_MAX = 4000;

/** A name as it is in the catalogs, with its capitals: `orders`, `Sales 2026`. */
export const Name = z
  .string()
  .min(1)
  .refine(
    (name) => !name.includes("\0") && Buffer.byteLength(name) <= NAME_BYTES_MAX,
    `has ${NAME_BYTES_MAX} bytes at most and no zero character`,
  );
export const DatabaseName = Name.meta({ description: "Name of the database" });
export const RoleName = Name.refine((name) => !name.startsWith("pg_"), "names that begin with pg_ are PostgreSQL's own").meta({
  description: "Name of the role",
});
export const InDatabase = Name.optional().meta({ description: "The database that it is in; without it the provider's" });
export const Comment = z
  .string()
  .max(COMMENT_CHARACTERS_MAX)
  .refine((text) => !text.includes("\0"), "holds no zero character")
  .meta({ description: "For the people who look at it" });
export const TokenInput = z.string().meta({ description: "Only the one that the call with this token made" });

/** A name for SQL. Always quoted: nothing in it is SQL, and its capitals stay. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text for the SQL of commands that take no parameters, whatever the server's setting standard_conforming_strings is. */
export function literal(text: string): string {
  return `E'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}

const MARK = /(?:^| )\(tutti (tok_[0-9a-f]{32})\)$/;

/** A comment that says which call made what it is on. */
export function markedComment(comment: string | null, token: string): string {
  return comment === null || comment === "" ? `(tutti ${token})` : `${comment} (tutti ${token})`;
}

/** The parts of a comment. */
export function readComment(comment: string | null): { readonly comment: string | null; readonly token: string | null } {
  const found = comment === null ? null : MARK.exec(comment);
  if (comment === null || found === null) return { comment, token: null };
  const text = comment.slice(0, found.index);
  return { comment: text === "" ? null : text, token: found[1] ?? null };
}

/** The name of a database while it is being made: it holds the token from its first moment. */
export function unfinishedName(token: Token): string {
  return `tutti_${token}`;
}

/** The token in the name of a database that is not finished. */
export function tokenInName(name: string): string | null {
  return /^tutti_(tok_[0-9a-f]{32})$/.exec(name)?.[1] ?? null;
}

/** Names joined to an id; a slash within a name is encoded. */
export function idOf(...names: readonly string[]): string {
  return names.map((name) => encodeURIComponent(name)).join("/");
}
