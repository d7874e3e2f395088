/**
 * A text as it was before it was escaped, and where in the source each of its characters stands. Programs escape differently (which characters,
 * upper or lower case, by name or number), so it is undone rather than guessed.
 */
export interface View {
  readonly text: string;
  /** Where the character at `index` begins in the source. */
  startOf(index: number): number;
  /** Where the character at `index` ends in the source. */
  endOf(index: number): number;
  /** Where an escape begins in the source that the end of the text has cut off; the source's length when there is none. */
  readonly openFrom: number;
}

/** One way to escape. */
interface Escaping {
  /** Without it nothing is escaped. */
  readonly sign: string | RegExp;
  /** Finds escapes; global. */
  readonly pattern: RegExp;
  /** What the escape stands for. */
  readonly undo: (escape: string) => string;
  /** An end of text whose group may be the beginning of an escape; undefined when no stream waits for that. */
  readonly open: RegExp | undefined;
  /** How many characters stand for how many, where that is always the same; else an escape is whole or not at all. */
  readonly ratio?: { readonly source: number; readonly view: number };
}

const CONTROL: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", b: "\b", f: "\f", v: "\v", 0: "\0" };

/** JSON, JavaScript, C, Python, `printf %q`: `\"`, `\n`, `\u0026`, `\x26`, `\046`, and a backslash before any other character. */
const BACKSLASH: Escaping = {
  sign: "\\",
  pattern: /\\(?:u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|[0-3][0-7]{2}|[^])/g,
  undo: (escape) => {
    const letter = escape.charAt(1);
    if (escape.length === 4 && letter !== "x") return String.fromCharCode(Number.parseInt(escape.slice(1), 8));
    if (escape.length > 2) return String.fromCharCode(Number.parseInt(escape.slice(2), 16));
    return CONTROL[letter] ?? letter;
  },
  open: /(?<!\\)(?:\\\\)*(\\(?:u[0-9a-fA-F]{0,3}|x[0-9a-fA-F]?|[0-3][0-7]?)?)$/,
};

/** URLs and forms, whatever set of characters was escaped. */
const PERCENT: Escaping = {
  sign: "%",
  pattern: /(?:%[0-9a-fA-F]{2})+/g,
  undo: (escape) => Buffer.from(escape.replaceAll("%", ""), "hex").toString("utf8"),
  // Also whole bytes outside of ASCII: the character may need one more.
  open: /((?:%[89a-fA-F][0-9a-fA-F])*(?:%[0-9a-fA-F]?|%[89a-fA-F][0-9a-fA-F]))$/,
};

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: "\u00a0" };

/** HTML and XML. */
const ENTITY: Escaping = {
  sign: "&",
  pattern: /&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|amp|lt|gt|quot|apos|nbsp);/g,
  undo: (escape) => {
    const name = escape.slice(1, -1);
    if (!name.startsWith("#")) return ENTITIES[name] ?? escape;
    const code = /^#x/i.test(name) ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1));
    return code <= 0x10ffff ? String.fromCodePoint(code) : escape;
  },
  open: /(&(?:#[xX]?[0-9a-fA-F]{0,7}|[a-z]{0,4}))$/,
};

/** `base64` and mail break long lines; the secret is in one. */
const LINE_BREAK: Escaping = { sign: "\n", pattern: /\r?\n[ \t]*/g, undo: () => "", open: /(\r|\r?\n[ \t]*)$/ };

/**
 * Base64 as a whole, for what was escaped before; secrets as they are have forms that are found at any place in it. Bytes are read as Latin 1. A
 * stream does not wait for it: it would hold back every long word.
 */
const BASE64: Escaping = {
  sign: /[A-Za-z0-9+/_-]{24}/,
  pattern: /[A-Za-z0-9+/_-]{24,}/g,
  undo: (escape) => Buffer.from(escape, "base64").toString("latin1"),
  open: undefined,
  ratio: { source: 4, view: 3 },
};

/** The order in which escapes lie around each other, the outer one first. What is escaped in other orders, or more often, is not recognised. */
const CHAINS: readonly (readonly Escaping[])[] = [
  [BACKSLASH],
  [BACKSLASH, BACKSLASH],
  [BACKSLASH, BACKSLASH, BACKSLASH],
  [PERCENT],
  [PERCENT, BACKSLASH],
  [PERCENT, PERCENT],
  [BACKSLASH, PERCENT],
  [ENTITY],
  [ENTITY, BACKSLASH],
  [ENTITY, PERCENT],
  [BACKSLASH, ENTITY],
  [LINE_BREAK],
  [BACKSLASH, LINE_BREAK],
  [BASE64],
  [BASE64, BACKSLASH],
  [BASE64, BACKSLASH, BACKSLASH],
  [BASE64, BACKSLASH, BACKSLASH, BACKSLASH],
  [BASE64, PERCENT],
  [BASE64, ENTITY],
];

/** All views of a text but itself: those of which it shows the signs. */
export function* unescapedViews(text: string): Generator<View> {
  for (const chain of CHAINS) {
    let view: View | undefined;
    for (const escaping of chain) {
      const source: string = view?.text ?? text;
      if (typeof escaping.sign === "string" ? !source.includes(escaping.sign) : !escaping.sign.test(source)) {
        view = undefined;
        break;
      }
      const next = unescape(source, escaping);
      view = view === undefined ? next : within(view, next);
    }
    if (view !== undefined) yield view;
  }
}

function unescape(source: string, { pattern, undo, open, ratio = { source: 0, view: 1 } }: Escaping): View {
  const parts: string[] = [];
  /** Triples: where a part begins in the view, where in the source, and how long it is there (0: as long as in the view). */
  const marks: number[] = [];
  let length = 0;
  let from = 0;
  const add = (part: string, at: number, sourceLength: number): void => {
    if (part === "") return;
    marks.push(length, at, sourceLength);
    parts.push(part);
    length += part.length;
  };
  for (const match of source.matchAll(pattern)) {
    add(source.slice(from, match.index), from, 0);
    from = match.index + match[0].length;
    add(undo(match[0]), match.index, match[0].length);
  }
  add(source.slice(from), from, 0);
  const markOf = (index: number): number => {
    let low = 0;
    let high = marks.length / 3 - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((marks[middle * 3] as number) <= index) low = middle;
      else high = middle - 1;
    }
    return low * 3;
  };
  const at = (mark: number, field: 0 | 1 | 2): number => marks[mark + field] ?? 0;
  const openLength = open?.exec(source.slice(-OPEN_LENGTH_MAX))?.[1]?.length ?? 0;
  return {
    text: parts.join(""),
    startOf: (index) => {
      const mark = markOf(index);
      const within = index - at(mark, 0);
      return at(mark, 1) + (at(mark, 2) === 0 ? within : Math.floor(within / ratio.view) * ratio.source);
    },
    endOf: (index) => {
      const mark = markOf(index);
      const within = index - at(mark, 0) + 1;
      if (at(mark, 2) === 0) return at(mark, 1) + within;
      return at(mark, 1) + (ratio.source === 0 ? at(mark, 2) : Math.min(at(mark, 2), Math.ceil(within / ratio.view) * ratio.source));
    },
    openFrom: source.length - openLength,
  };
}

/** An escape that is longer (many characters outside of ASCII in a row) is cut here, and what follows starts anew. */
const OPEN_LENGTH_MAX = 64;

/** A view of a view, as a view of the first one's source. */
function within(outer: View, inner: View): View {
  return {
    text: inner.text,
    startOf: (index) => outer.startOf(inner.startOf(index)),
    endOf: (index) => outer.endOf(inner.endOf(index) - 1),
    openFrom: inner.openFrom < outer.text.length ? Math.min(outer.openFrom, outer.startOf(inner.openFrom)) : outer.openFrom,
  };
}
