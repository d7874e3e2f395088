import { isJsonObject, type Json, type JsonObject } from "@tutti/model";
import type { Finding } from "../finding.ts";
import { lintDocument } from "../lint.ts";
import type { LintOptions } from "../lint/context.ts";
import { collectTasks, iteratorOf } from "../lint/task-sites.ts";
import { parseDocument, type ParsedDocument } from "../parse-document.ts";
import { endpointUri, isLocatedFunction } from "./external-reference.ts";

/** The only task of the document that a function is checked in. */
const NAME = "function";
const TASK_POINTER = `/do/0/${NAME}`;

/** A function from outside, checked like a document of its own: nothing of the workflow's `use` is known to it. */
export interface FunctionDocument {
  /** The document with the function as its only task; undefined when the text is none. */
  readonly document: JsonObject | undefined;
  /** What is wrong, at places of the function's own text. */
  readonly errors: readonly Finding[];
}

/** Reads the text of a `function.yaml`: the definition of one task. */
export function readFunction(text: string, options: LintOptions): FunctionDocument {
  const parsed = parseDocument(text, options.file === undefined ? {} : { file: options.file });
  const isError = (finding: Finding): boolean => finding.severity === "error";
  if (parsed.json === undefined) return { document: undefined, errors: parsed.findings.filter(isError) };
  const document: JsonObject = {
    document: { dsl: "1.0.3", namespace: "function", name: "function", version: "1.0.0" },
    do: [{ [NAME]: parsed.json }],
  };
  const own = (pointer: string): string => (pointer.startsWith(TASK_POINTER) ? pointer.slice(TASK_POINTER.length) : "");
  const wrapped: ParsedDocument = {
    file: parsed.file,
    json: document,
    findings: parsed.findings,
    positionOf: (pointer, place) => parsed.positionOf(own(pointer), place),
    positionInText: (pointer, offset) => parsed.positionInText(own(pointer), offset),
  };
  const errors = lintDocument(wrapped, options).filter(isError);
  return { document, errors: errors.map((finding) => ({ ...finding, pointer: own(finding.pointer) })) };
}

/** The task of a function, its relative references made absolute by where the function was read. */
export function absoluteFunction(document: JsonObject, source: string): JsonObject {
  const copy = structuredClone(document);
  const absolute = (uri: string): string => (URL.canParse(uri) || isTemplate(uri) ? uri : new URL(uri, source).href);
  for (const { task } of collectTasks(copy).flatMap((group) => group.sites)) {
    const call = task["call"];
    if (typeof call === "string" && isLocatedFunction(call)) replace(task, "call", absolute(call));
    for (const owner of resourceOwners(task)) {
      const { endpoint } = owner;
      const uri = endpointUri(endpoint);
      if (uri === undefined) continue;
      if (isJsonObject(endpoint)) replace(endpoint, "uri", absolute(uri));
      else replace(owner, "endpoint", absolute(uri));
    }
  }
  const [first] = collectTasks(copy).find((group) => group.pointer === "/do")?.sites ?? [];
  return first?.task ?? {};
}

/** The external resources that a task names: documents, sources, schemas. */
function resourceOwners(task: JsonObject): readonly JsonObject[] {
  const given = objectIn(task, "with");
  const owners = [given, objectIn(objectIn(task, "run"), "script")].flatMap((owner) =>
    ["document", "proto", "agentCard", "source"].map((key) => objectIn(owner, key)),
  );
  const schemas = [task, iteratorOf(task).clause].flatMap((owner) =>
    ["input", "output", "export"].map((key) => objectIn(objectIn(objectIn(owner, key), "schema"), "resource")),
  );
  return [...owners, ...schemas];
}

function objectIn(object: JsonObject, key: string): JsonObject {
  const value = object[key];
  return isJsonObject(value) ? value : {};
}

/** Values are read-only by their type; this one is our own copy. */
function replace(object: JsonObject, key: string, value: Json): void {
  (object as Record<string, Json>)[key] = value;
}

function isTemplate(uri: string): boolean {
  return uri.includes("{");
}
