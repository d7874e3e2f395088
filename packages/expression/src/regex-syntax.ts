/** Unicode classes that jq's engine means by its shorthands, as members of a bracket class. */
const SHORTHANDS: ReadonlyMap<string, string> = new Map([
  ["d", "\\p{Nd}"],
  ["w", "\\p{L}\\p{M}\\p{Nd}\\p{Pc}"],
  ["s", "\\t\\n\\v\\f\\r \\x{85}\\p{Z}"],
  ["h", "0-9a-fA-F"],
]);

/** Rewrites what Oniguruma spells differently from RE2: the shorthand classes, which are Unicode classes there, and `\Z`. */
export function translate(pattern: string): string {
  let translated = "";
  let isInClass = false;
  for (let position = 0; position < pattern.length; position++) {
    const character = pattern[position] as string;
    if (character === "\\" && position + 1 < pattern.length) {
      position++;
      translated += escape(pattern[position] as string, isInClass);
      continue;
    }
    if (character === "[" && !isInClass) {
      isInClass = true;
      translated += character;
      // `]` directly after the opening, negated or not, is a member.
      if (pattern[position + 1] === "^") translated += pattern[++position] as string;
      if (pattern[position + 1] === "]") {
        position++;
        translated += "\\]";
      }
      continue;
    }
    if (character === "[" && pattern[position + 1] !== ":") translated += "\\";
    if (character === "]") isInClass = isInClass && pattern[position - 1] === ":" && /\[:\^?[a-z]+:$/.test(pattern.slice(0, position));
    translated += character;
  }
  return translated;
}

function escape(letter: string, isInClass: boolean): string {
  const members = SHORTHANDS.get(letter);
  if (members !== undefined) return isInClass ? members : `[${members}]`;
  const complement = letter === letter.toLowerCase() ? undefined : SHORTHANDS.get(letter.toLowerCase());
  // A complement inside a class has no spelling in RE2 but for ASCII; that one is kept.
  if (complement !== undefined && !isInClass) return `[^${complement}]`;
  if (letter === "Z" && !isInClass) return "\\z";
  return `\\${letter}`;
}

/**
 * Splits `A(?=B)` into `A` and `B`, undefined when the pattern does not end in a look-ahead or has alternatives beside it. The
 * match of `A(?=B)` is that of `(A)B` cut after its first group: the same priorities decide about `A`, in linear time.
 */
export function splitTrailingLookAhead(pattern: string): { readonly body: string; readonly ahead: string } | undefined {
  if (!pattern.includes("(?=")) return undefined;
  const open: number[] = [];
  let lastGroup = -1;
  let isInClass = false;
  for (let position = 0; position < pattern.length; position++) {
    const character = pattern[position];
    if (character === "\\") position++;
    else if (isInClass) isInClass = character !== "]";
    else if (character === "[") isInClass = true;
    else if (character === "|" && open.length === 0) return undefined;
    else if (character === "(") open.push(position);
    else if (character === ")") {
      const start = open.pop();
      if (open.length === 0) lastGroup = position === pattern.length - 1 ? (start ?? -1) : -1;
    }
  }
  if (lastGroup < 0 || !pattern.startsWith("(?=", lastGroup)) return undefined;
  return { body: pattern.slice(0, lastGroup), ahead: pattern.slice(lastGroup + 3, -1) };
}

/** Flag `x`: white space and comments in a pattern mean nothing, except escaped or inside brackets. */
export function removeExtendedSyntax(pattern: string): string {
  return pattern.replace(
    /(\\[\s\S])|(\[\^?\]?(?:\\[\s\S]|[^\]\\])*\])|\s+|#[^\n]*/g,
    (_, escaped: string | undefined, bracket: string | undefined) => escaped ?? bracket ?? "",
  );
}
