import { isJsonObject, type Json, type JsonObject, ownProperty } from "@tutti/model";
import { type Finding, FINDINGS_MAX, type Severity } from "../finding.ts";
import type { ParsedDocument } from "../parse-document.ts";
import type { Place } from "../source-map.ts";
import { collectTasks, type TaskGroup, type TaskSite } from "./task-sites.ts";

/** What the linter may know of a function that the document calls and does not define. */
export interface FunctionInterface {
  /** JSON Schema of the arguments. */
  readonly inputSchema?: Json;
  /** Nothing undoes what it did. */
  readonly irreversible?: boolean;
}

export interface LintOptions {
  readonly file?: string;
  /** The functions that can be called, by their whole name. Without it, any well-formed function name of a connector is accepted. */
  readonly functions?: ReadonlyMap<string, FunctionInterface>;
}

interface Report {
  readonly pointer: string;
  readonly message: string;
  /** What to do; a function when it costs something to find, asked only for findings that are kept. */
  readonly hint?: string | undefined | (() => string | undefined);
  readonly place?: Place;
  /** Character within the string at `pointer` that is meant. */
  readonly offset?: number;
}

/** What all rules share: the document, its tasks, and where findings go. */
export class LintContext {
  readonly findings: Finding[] = [];
  readonly document: JsonObject;
  readonly use: JsonObject;
  readonly options: LintOptions;
  readonly groups: readonly TaskGroup[];
  readonly sites: readonly TaskSite[];
  /** Names of `use.secrets`. */
  readonly secrets: ReadonlySet<string>;
  readonly #parsed: ParsedDocument;
  #hasMore = false;

  constructor(document: JsonObject, parsed: ParsedDocument, options: LintOptions) {
    this.document = document;
    this.#parsed = parsed;
    this.options = options;
    this.use = member(document, "use");
    this.groups = collectTasks(document);
    this.secrets = new Set(listAt(this.use, "secrets").filter((name): name is string => typeof name === "string"));
    this.sites = this.groups.flatMap((group) => group.sites);
  }

  /** Whether there was more to report than is kept. */
  get hasMore(): boolean {
    return this.#hasMore;
  }

  error(rule: string, report: Report): void {
    this.#report("error", rule, report);
  }

  warning(rule: string, report: Report): void {
    this.#report("warning", rule, report);
  }

  note(rule: string, report: Report): void {
    this.#report("note", rule, report);
  }

  #report(severity: Severity, rule: string, { pointer, message, hint, place, offset }: Report): void {
    // Places are looked up in the text one by one; nobody reads so many.
    if (this.findings.length >= (severity === "error" ? 2 : 1) * FINDINGS_MAX) {
      this.#hasMore = true;
      return;
    }
    const position = offset === undefined ? this.#parsed.positionOf(pointer, place) : this.#parsed.positionInText(pointer, offset);
    const advice = typeof hint === "function" ? hint() : hint;
    this.findings.push({ severity, rule, message, pointer, ...position, ...(advice === undefined ? {} : { hint: advice }) });
  }
}

/** The object at `key`, or an empty one. */
export function member(object: JsonObject, key: string): JsonObject {
  const value = ownProperty(object, key);
  return isJsonObject(value) ? value : {};
}

/** The list at `key`, or an empty one. */
export function listAt(object: JsonObject, key: string): readonly Json[] {
  const value = ownProperty(object, key);
  return Array.isArray(value) ? (value as readonly Json[]) : [];
}

/** The text at `key`, undefined when there is none. */
export function textAt(object: JsonObject, key: string): string | undefined {
  const value = ownProperty(object, key);
  return typeof value === "string" ? value : undefined;
}
