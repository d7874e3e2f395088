import { isJsonObject, type Json } from "@tutti/model";

/** Shorter texts occur by chance everywhere: masking them would garble logs and hide nothing. */
export const SECRET_LENGTH_MIN = 6;
/** Lines of a secret of many lines (a key file) are looked for one by one, since logs come by lines; short lines are left alone. */
const SECRET_LINE_LENGTH_MIN = 16;
/** A bundle of certificates has some hundred lines; of a longer secret the whole is looked for, and these lines. */
const SECRET_LINES_MAX = 2000;

/** Every text inside a secret that counts as secret itself: members of an object, lines of a key; numbers count as their digits. */
export function* textsOf(value: Json): Generator<string> {
  if (typeof value === "string") {
    yield value;
    const trimmed = value.trim();
    if (trimmed !== value) yield trimmed;
    if (trimmed.includes("\n")) {
      const lines = trimmed.split(/\r?\n/);
      // What is logged line by line is looked through without its line ends.
      yield lines.join("");
      yield* lines.slice(0, SECRET_LINES_MAX).filter((line) => line.length >= SECRET_LINE_LENGTH_MIN);
    }
  } else if (typeof value === "number") yield String(value);
  else if (Array.isArray(value)) for (const item of value as readonly Json[]) yield* textsOf(item);
  else if (isJsonObject(value)) for (const key of Object.keys(value)) yield* textsOf(value[key] as Json);
}

/**
 * The forms in which a secret is looked for besides its escaped ones (`unescapedViews`): raw, base64 and base64url in all three alignments, also
 * of its form for JSON and URLs, hex in both cases, and with quotes quoted as shells, SQL and CSV do it.
 */
export function formsOf(text: string): ReadonlySet<string> {
  const forms = new Set<string>([text]);
  // In a form a blank is a plus; everything else of a URL is unescaped before it is looked at.
  forms.add(text.replaceAll(" ", "+"));
  forms.add(text.replaceAll("'", String.raw`'\''`)).add(text.replaceAll("'", `'"'"'`));
  forms.add(text.replaceAll("'", "''")).add(text.replaceAll('"', '""'));
  // HTTP's heads, and shells in their own escapes, tell bytes; read as Latin 1 they are these.
  forms.add(Buffer.from(text, "utf8").toString("latin1"));
  // In the path of a URL a backslash is a slash.
  forms.add(text.replaceAll("\\", "/"));
  const hex = Buffer.from(text, "utf8").toString("hex");
  forms.add(hex).add(hex.toUpperCase());
  for (const inner of new Set([
    text,
    JSON.stringify(text).slice(1, -1),
    encodeUrl(text),
    new URLSearchParams([["", text]]).toString().slice(1),
  ])) {
    const bytes = Buffer.from(inner, "utf8");
    for (const offset of [0, 1, 2]) {
      const encoded = base64At(bytes, offset);
      forms.add(encoded).add(encoded.replaceAll("+", "-").replaceAll("/", "_"));
    }
  }
  return forms;
}

/** The characters of base64 that depend on nothing but the secret when it begins `offset` bytes into a group (as in `user:password`). */
function base64At(bytes: Buffer, offset: number): string {
  const encoded = Buffer.concat([Buffer.alloc(offset), bytes])
    .toString("base64")
    .replaceAll("=", "");
  const from = offset === 0 ? 0 : offset + 1;
  const isWhole = (offset + bytes.length) % 3 === 0;
  return encoded.slice(from, isWhole ? undefined : encoded.length - 1);
}

function encodeUrl(text: string): string {
  // A lone surrogate has no UTF-8 and so no URL form.
  return text.isWellFormed() ? encodeURIComponent(text) : text;
}
