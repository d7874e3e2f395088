import { z } from "@tutti/connector-kit";

/** Linux takes no longer paths. */
const PATH_BYTES_MAX = 4095;

export const RemotePath = z
  .string()
  .max(PATH_BYTES_MAX)
  .regex(/^\/[^\0\n]*$/, "is an absolute path")
  .refine((path) => !/(?:^|\/)\.\.?(?:\/|$)/.test(path), "is a path without . and ..")
  .transform((path) => (path === "/" ? path : path.replaceAll(/\/+/g, "/").replace(/\/$/, "")));

export const Mode = z
  .string()
  .regex(/^0?[0-7]{3,4}$/, "is an octal mode in quotes: '0644'")
  // As `stat` shows it.
  .transform((mode) => Number.parseInt(mode, 8).toString(8).padStart(3, "0"));

export const Account = z.string().regex(/^(?:[A-Za-z_][\w.@-]{0,127}\$?|\d{1,10})$/, "is a name or a number");

export const TokenText = z.string().regex(/^tok_[0-9a-f]{32}$/, "is a token");

/** A word that a POSIX shell reads as exactly this text. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
