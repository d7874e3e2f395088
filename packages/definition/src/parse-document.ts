import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument as parseYaml,
  type Scalar,
  type YAMLMap,
  type YAMLSeq,
} from "yaml";
import { DOCUMENT_BYTES_MAX, isJsonObject, type Json, type JsonObject } from "@tutti/model";
import type { Finding, Position } from "./finding.ts";
import { joinPointer } from "./json-pointer.ts";
import { keyText, type Place, SourceMap } from "./source-map.ts";

/**
 * Nesting of collections in a document. 64 nested tasks need at most 6 levels each (`- task: { fork: { branches: [ … ] } }`), and data
 * may nest below them; what walks a document recurses no deeper than this.
 */
export const DOCUMENT_DEPTH_MAX = 512;
/** Values that aliases may add to those that are written down. More is a "billion laughs", not a workflow. */
const ALIAS_VALUES_MAX = 50_000;
/** Errors of syntax worth telling: most follow from the first. */
const SYNTAX_FINDINGS_MAX = 20;
/** Neither YAML nor JSON has these outside of escapes; in a terminal or a log they would hide what stands beside them. */
// oxlint-disable-next-line no-control-regex -- control characters are what it looks for
const CONTROL_CHARACTER = /[\u0000-\u0008\u000b\u000c\u000e-\u001f]/;
/** The tags of YAML's core schema; any other means a type that JSON does not have. */
const CORE_TAGS: ReadonlySet<string> = new Set(
  ["map", "seq", "str", "int", "float", "bool", "null"].map((name) => `tag:yaml.org,2002:${name}`),
);

export interface ParseOptions {
  /** Name of the file, for messages only. */
  readonly file?: string;
}

/** A document as data, with the way back to its text. */
export interface ParsedDocument {
  readonly file: string | undefined;
  /** Undefined when the text is no document at all; then there is at least one finding of severity error. */
  readonly json: JsonObject | undefined;
  readonly findings: readonly Finding[];
  /** Position of the value (or key) at a JSON pointer, of its nearest existing ancestor when it is missing. */
  positionOf(pointer: string, place?: Place): Position;
  /** Position of character `offset` of the string at a JSON pointer. */
  positionInText(pointer: string, offset: number): Position;
}

/**
 * Reads a workflow document from YAML 1.2 (core schema) or JSON. It never throws: what is wrong with the text is in `findings`.
 *
 * Plain JSON comes out of it: no custom tags, no merge keys, keys are strings and unique, numbers are finite, aliases are expanded within
 * a bound. A key `__proto__` is an own property like any other.
 */
export function parseDocument(text: string, options: ParseOptions = {}): ParsedDocument {
  const lines = new LineCounter();
  // Three bytes are the most that one UTF-16 code unit takes, so most texts need not be measured.
  const size = text.length * 3 > DOCUMENT_BYTES_MAX ? new TextEncoder().encode(text).byteLength : 0;
  if (size > DOCUMENT_BYTES_MAX) {
    return refused(options, [
      { severity: "error", rule: "document-too-large", message: tooLarge(size), pointer: "", line: 1, column: 1, hint: SMALLER },
    ]);
  }
  const control = CONTROL_CHARACTER.exec(text);
  if (control !== null) return refused(options, [controlFinding(text, control.index)]);
  let yaml: Document;
  try {
    yaml = parseYaml(text, {
      version: "1.2",
      schema: "core",
      merge: false,
      uniqueKeys: false,
      prettyErrors: false,
      lineCounter: lines,
      logLevel: "error",
    });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return refused(options, [
      { severity: "error", rule: "document-too-deep", message: tooDeep(), pointer: "", line: 1, column: 1, hint: FLATTER },
    ]);
  }
  const source = new SourceMap(yaml, lines, text);
  const reader = new Reader(yaml, source);
  const json = reader.read();
  return {
    file: options.file,
    json,
    findings: reader.findings,
    positionOf: (pointer, place) => source.positionOf(pointer, place),
    positionInText: (pointer, offset) => source.positionInText(pointer, offset),
  };
}

function refused(options: ParseOptions, findings: readonly Finding[]): ParsedDocument {
  const start = { line: 1, column: 1 };
  return { file: options.file, json: undefined, findings, positionOf: () => start, positionInText: () => start };
}

const MIB = 1024 * 1024;

function tooLarge(size: number): string {
  return `The document has ${(size / MIB).toFixed(1)} MiB; the limit is ${DOCUMENT_BYTES_MAX / MIB} MiB.`;
}

const SMALLER = "Give data as input or store them elsewhere, and let parts be workflows of their own (`run: { workflow: … }`).";
const FLATTER = "Let parts be workflows of their own (`run: { workflow: … }`).";

function controlFinding(text: string, at: number): Finding {
  const lines = text.slice(0, at).split("\n");
  const code = text.charCodeAt(at).toString(16).toUpperCase().padStart(4, "0");
  return {
    severity: "error",
    rule: "yaml-syntax",
    message: `The control character U+${code} cannot stand in a document.`,
    pointer: "",
    line: lines.length,
    column: (lines.at(-1)?.length ?? 0) + 1,
    hint: `Remove it, or write it as \`"\\u${code}"\` in double quotes.`,
  };
}

function tooDeep(): string {
  return `The document is nested more than ${DOCUMENT_DEPTH_MAX} levels deep.`;
}

/** Turns the syntax tree into JSON and collects what JSON cannot say. */
class Reader {
  readonly findings: Finding[] = [];
  readonly #yaml: Document;
  readonly #source: SourceMap;
  /** Anchored nodes that are being read: an alias to one of them would never end. */
  readonly #open = new Set<Node>();
  #aliasDepth = 0;
  #aliasValues = 0;

  constructor(yaml: Document, source: SourceMap) {
    this.#yaml = yaml;
    this.#source = source;
  }

  read(): JsonObject | undefined {
    const exhausted = this.#yaml.errors.find((error) => error.code === "RESOURCE_EXHAUSTION");
    // Then the parser's own recursion had no room left, and its other errors follow from that.
    if (exhausted !== undefined) return this.#report("document-too-deep", tooDeep(), "", exhausted.pos[0], FLATTER);
    for (const error of this.#yaml.errors.slice(0, SYNTAX_FINDINGS_MAX)) {
      this.#report("yaml-syntax", syntaxMessage(error.code, error.message), "", error.pos[0], SYNTAX_HINTS[error.code]);
    }
    const { yaml: directive } = this.#yaml.directives ?? {};
    if (directive?.explicit && directive.version !== "1.2")
      this.#report("yaml-version", "Documents are YAML 1.2; remove the directive `%YAML`.", "", 0);
    // Values of a text that does not parse would only produce findings that vanish with the first one.
    if (this.findings.length > 0) return undefined;
    const contents = this.#yaml.contents as Node | null;
    if (contents === null) return this.#notAnObject("The document is empty.");
    const value = this.#value(contents, "", 0);
    if (value === undefined || this.findings.some((finding) => finding.severity === "error")) return undefined;
    return isJsonObject(value) ? value : this.#notAnObject("The document is not a mapping of keys to values.");
  }

  #notAnObject(message: string): undefined {
    this.#report("not-a-document", message, "", 0, "A workflow begins with `document:` and `do:`.");
    return undefined;
  }

  #value(node: Node | null, pointer: string, depth: number): Json | undefined {
    if (node === null) return null;
    if (depth > DOCUMENT_DEPTH_MAX) return this.#report("document-too-deep", tooDeep(), pointer, start(node), FLATTER);
    if (this.#aliasDepth > 0 && ++this.#aliasValues > ALIAS_VALUES_MAX) {
      if (this.#aliasValues === ALIAS_VALUES_MAX + 1) {
        const message = `Aliases expand to more than ${ALIAS_VALUES_MAX} values.`;
        this.#report("yaml-alias", message, pointer, start(node), "Write them out, or give the data as input.");
      }
      return undefined;
    }
    if (isAlias(node)) return this.#alias(node, pointer, depth);
    if (node.tag !== undefined && !CORE_TAGS.has(node.tag) && node.tag !== "!") {
      return this.#report("yaml-tag", `The tag \`${node.tag}\` is not supported: documents hold plain JSON data.`, pointer, start(node));
    }
    if (isScalar(node)) return this.#scalar(node, pointer);
    this.#open.add(node);
    const value = isMap(node) ? this.#map(node, pointer, depth) : isSeq(node) ? this.#sequence(node, pointer, depth) : undefined;
    this.#open.delete(node);
    return value;
  }

  #alias(node: Alias, pointer: string, depth: number): Json | undefined {
    const target = node.resolve(this.#yaml);
    if (target === undefined)
      return this.#report("yaml-alias", `There is no anchor \`&${node.source}\` before this alias.`, pointer, start(node));
    if (this.#open.has(target))
      return this.#report(
        "yaml-alias",
        `The alias \`*${node.source}\` stands inside of what it names, so it would never end.`,
        pointer,
        start(node),
        "Repeat tasks with `for`, or with `then` and the name of an earlier task.",
      );
    this.#aliasDepth++;
    const value = this.#value(target, pointer, depth);
    this.#aliasDepth--;
    return value;
  }

  #scalar(node: Scalar, pointer: string): Json | undefined {
    const { value } = node;
    if (value === null || typeof value === "boolean" || typeof value === "string") return value;
    if (typeof value === "number" && Number.isFinite(value)) return value;
    return this.#report(
      "yaml-value",
      `\`${node.source ?? typeof value}\` has no counterpart in JSON.`,
      pointer,
      start(node),
      "Put it in quotes to make it a string.",
    );
  }

  #sequence(node: YAMLSeq, pointer: string, depth: number): Json {
    return node.items.map((item, index) => this.#value(item as Node | null, joinPointer(pointer, index), depth + 1) ?? null);
  }

  #map(node: YAMLMap, pointer: string, depth: number): JsonObject {
    const object: Record<string, Json> = {};
    for (const pair of node.items) {
      const keyNode = pair.key as Node;
      const key = keyText(isAlias(keyNode) ? keyNode.resolve(this.#yaml) : keyNode);
      if (key === undefined) {
        this.#report("yaml-key", "A key must be a string.", pointer, start(keyNode));
        continue;
      }
      const entry = joinPointer(pointer, key);
      if (Object.hasOwn(object, key)) {
        this.#report("duplicate-key", `The key \`${key}\` occurs twice.`, entry, start(keyNode), "Remove one of them, or rename it.");
        continue;
      }
      if (key === "<<" && isScalar(keyNode) && keyNode.type === "PLAIN") {
        this.#report(
          "yaml-merge-key",
          "Merge keys (`<<`) are not part of YAML 1.2.",
          entry,
          start(keyNode),
          "Write the keys out, or share them with `use`.",
        );
      }
      const value = this.#value(pair.value as Node | null, entry, depth + 1) ?? null;
      // Assignment would call the setter of `__proto__` in processes that still have it.
      Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
    }
    return object;
  }

  #report(rule: string, message: string, pointer: string, offset: number, hint?: string): undefined {
    const position = this.#source.atOffset(offset);
    this.findings.push({ severity: "error", rule, message, pointer, ...position, ...(hint === undefined ? {} : { hint }) });
    return undefined;
  }
}

function start(node: Node): number {
  return node.range?.[0] ?? 0;
}

/** The way out where the parser's words name none. */
const SYNTAX_HINTS: Readonly<Record<string, string>> = {
  MULTIPLE_DOCS: "Put each workflow into a file of its own.",
  TAB_AS_INDENT: "Indent with spaces.",
  BAD_INDENT: "Look at brackets and quotes that are not closed, and at the indentation of the lines before.",
  MISSING_CHAR: "Look for a bracket or quote that is not closed.",
};

/** The parser's own words, except where they speak about its options. */
function syntaxMessage(code: string, message: string): string {
  if (code === "MULTIPLE_DOCS") return "The file holds more than one document.";
  const firstLine = message.split("\n")[0] ?? message;
  return `This is not valid YAML: ${firstLine.replace(/ at line \d+, column \d+:?$/, "")}.`;
}
