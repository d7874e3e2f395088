import type { z } from "zod";
import { isJsonObject, type Json, ownProperty } from "@tutti/model";
import { didYouMean, nearestName } from "../nearest-name.ts";
import { KNOWN_KEYS } from "./building-blocks.ts";

/** A shape that is not as the schema wants it, in words for the author. */
export interface ShapeProblem {
  readonly rule: "schema-missing-key" | "schema-unknown-key" | "schema-type" | "schema-value";
  readonly message: string;
  readonly path: readonly (string | number)[];
  /** Whether the key is at fault and not its value. */
  readonly place: "key" | "value";
  readonly hint?: string;
}

type Path = readonly (string | number)[];
const MESSAGE_VALUE_LENGTH_MAX = 60;

/** Turns what zod found in `document` into problems, in the order of the document's own reading. */
export function shapeProblems(document: Json, issues: readonly z.core.$ZodIssue[]): ShapeProblem[] {
  return issues.flatMap((issue) => problemsOf(document, issue));
}

function problemsOf(document: Json, issue: z.core.$ZodIssue): ShapeProblem[] {
  const path = issue.path.map((segment) => (typeof segment === "symbol" ? String(segment.description) : segment));
  const value = valueAt(document, path);
  const last = path.at(-1);
  if (issue.code === "unrecognized_keys") return issue.keys.map((key) => unknownKey(document, path, key, issue.message));
  if (value === undefined && last !== undefined) {
    const owner = path.slice(0, -1);
    return [
      {
        rule: "schema-missing-key",
        message: `${capital(subject(document, owner))} needs \`${last}\`.`,
        path: owner,
        place: "key",
        ...hint(misspelt(valueAt(document, owner), [String(last)])),
      },
    ];
  }
  const about = capital(subject(document, path));
  if (issue.code === "invalid_type") {
    const unquoted = issue.expected === "string" && (typeof value === "number" || typeof value === "boolean");
    return [
      {
        rule: "schema-type",
        message: `${about} must be ${TYPE_NAMES[issue.expected] ?? issue.expected}, but is ${nameOfType(value)}.`,
        path,
        place: "value",
        ...hint(unquoted ? "Put it in quotes." : undefined),
      },
    ];
  }
  if (issue.code === "invalid_value") {
    const names = issue.values.map(String);
    const message = `${about} must be ${names.length > 1 ? "one of " : ""}${names.map((name) => `\`${name}\``).join(", ")}, but is ${shown(value)}.`;
    return [
      { rule: "schema-value", message, path, place: "value", ...hint(typeof value === "string" ? didYouMean(value, names) : undefined) },
    ];
  }
  if (issue.code === "custom") return [customProblem(document, issue, path, value)];
  return [{ rule: "schema-value", message: `${about} ${issue.message}.`, path, place: "value" }];
}

function customProblem(document: Json, issue: z.core.$ZodIssueCustom, path: Path, value: Json | undefined): ShapeProblem {
  if (issue.params?.["whole"] === true || issue.message.endsWith("."))
    return { rule: "schema-value", message: ensureStop(capital(issue.message)), path, place: "key" };
  const about = capital(subject(document, path));
  if (issue.params?.["ofParent"] !== true) return { rule: "schema-value", message: `${about} ${issue.message}.`, path, place: "value" };
  if (value !== undefined && !isJsonObject(value) && issue.message.startsWith("needs")) {
    return { rule: "schema-type", message: `${about} must be an object, but is ${nameOfType(value)}.`, path, place: "value" };
  }
  const offered = [...issue.message.matchAll(/`([^`]+)`/g)].map((match) => match[1] as string);
  return { rule: "schema-value", message: `${about} ${issue.message}.`, path, place: "key", ...hint(misspelt(value, offered)) };
}

function unknownKey(document: Json, path: Path, key: string, known: string): ShapeProblem {
  const names = known.startsWith(KNOWN_KEYS) ? known.slice(KNOWN_KEYS.length).split("\n") : [];
  const nearest = didYouMean(key, names);
  return {
    rule: "schema-unknown-key",
    message: `${capital(subject(document, path))} has no \`${key}\`.`,
    path: [...path, key],
    place: "key",
    ...hint(nearest ?? (names.length > 0 && names.length <= 12 ? `It takes ${names.map((name) => `\`${name}\``).join(", ")}.` : undefined)),
  };
}

/** A key of `owner` that was probably meant to be one of `wanted`. */
function misspelt(owner: Json | undefined, wanted: readonly string[]): string | undefined {
  if (!isJsonObject(owner)) return undefined;
  for (const key of Object.keys(owner)) {
    const nearest = nearestName(key, wanted);
    if (nearest !== undefined && nearest !== key) return `Did you mean \`${nearest}\` instead of \`${key}\`?`;
  }
  return undefined;
}

/** What an author calls the thing at `path`: `call: http` for its arguments, the task `x`, else the key. */
function subject(document: Json, path: Path): string {
  const last = path.at(-1);
  if (last === undefined) return "the document";
  if (typeof last === "number") return `item ${last + 1} of \`${path.at(-2) ?? "the document"}\``;
  const owner = valueAt(document, path.slice(0, -1));
  if (last === "with" && isJsonObject(owner) && typeof ownProperty(owner, "call") === "string")
    return `\`call: ${ownProperty(owner, "call") as string}\``;
  if (typeof path.at(-2) === "number" && path.at(-3) !== "switch" && path.at(-3) !== "extensions") return `the task \`${last}\``;
  if (path.at(-2) === "functions" && path.at(-3) === "use") return `the function \`${last}\``;
  return `\`${last}\``;
}

function valueAt(document: Json, path: Path): Json | undefined {
  let value: Json | undefined = document;
  for (const segment of path) {
    if (Array.isArray(value)) value = (value as readonly Json[])[Number(segment)];
    else value = isJsonObject(value) ? ownProperty(value, String(segment)) : undefined;
  }
  return value;
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: "a string",
  number: "a number",
  boolean: "`true` or `false`",
  object: "an object",
  array: "a list",
};

function nameOfType(value: Json | undefined): string {
  if (value === null || value === undefined) return "empty";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "boolean") return `\`${value}\``;
  return TYPE_NAMES[typeof value] ?? typeof value;
}

function shown(value: Json | undefined): string {
  const text = JSON.stringify(value ?? null);
  return text.length <= MESSAGE_VALUE_LENGTH_MAX ? `\`${text}\`` : nameOfType(value);
}

function hint(text: string | undefined): { readonly hint?: string } {
  return text === undefined ? {} : { hint: text };
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function ensureStop(text: string): string {
  return text.endsWith(".") ? text : `${text}.`;
}
