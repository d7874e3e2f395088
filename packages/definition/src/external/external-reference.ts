import { AppError, isJsonObject, type Json, type JsonObject, ownProperty } from "@tutti/model";
import { joinPointer } from "../json-pointer.ts";
import { collectTasks, iteratorOf } from "../lint/task-sites.ts";
import { BUILT_IN_CALLS } from "../schema/call.ts";
import { isWrappedExpression } from "../schema/text.ts";
import { catalogFunctionUri, rawUri } from "./catalog.ts";

/** `<name>:<version>@<catalog>`. */
const CATALOG_FUNCTION = /^([^@\s]+):([^@:\s]+)@([^@\s]+)$/;
/** A function named by where it is: a URL, or a file beside the document. */
const LOCATED_FUNCTION = /^(?:https?:|file:|\.{1,2}\/)/;

/** Something outside of a document that has to be there before the document can be compiled. */
export interface ExternalReference {
  /** A task, a JSON Schema, or the source of a script that belongs to a function from outside. */
  readonly kind: "function" | "schema" | "script";
  /** What the document writes: with the kind it is the name under which the compiler asks for it. */
  readonly name: string;
  /** Where it is: absolute, or relative to the document. */
  readonly uri: string;
  /** Name of the catalog that it stands in. */
  readonly catalog: string | undefined;
  /** Policy of the specification, with names of `use.authentications` put in; may name a secret by `use`. */
  readonly authentication: JsonObject | undefined;
  /** JSON pointer of the reference. */
  readonly pointer: string;
}

/** A reference as it was read when the document was published: what it means from then on. Stored with the document. */
export interface PinnedReference {
  /** `undo`: what undoes a call of a connector's function, as the connector declared it then. */
  readonly kind: ExternalReference["kind"] | "undo";
  /** As the document writes it; of an undo the function whose calls it undoes. */
  readonly name: string;
  /** Absolute URL that it was read from; `connector:NAME@VERSION` of an undo. */
  readonly source: string;
  /** SHA-256 of the text, hexadecimal. */
  readonly digest: string;
  /** The task or schema, its own references absolute; the text of a script; `{call, with}` of an undo. */
  readonly value: Json;
}

/** The name under which a pinned reference is found. */
export function referenceKey({ kind, name }: Pick<PinnedReference, "kind" | "name">): string {
  return `${kind} ${name}`;
}

/** Names of all functions that the tasks of a document call, each once, in the order of the document. */
export function calledFunctions(document: JsonObject): readonly string[] {
  const calls = collectTasks(document).flatMap((group) => group.sites.map(({ task }) => ownProperty(task, "call")));
  return [...new Set(calls.filter((call): call is string => typeof call === "string"))];
}

/** Whether a call names its function by a place. */
export function isLocatedFunction(name: string): boolean {
  return LOCATED_FUNCTION.test(name);
}

/**
 * What a document that the linter has accepted refers to. `isFunction`: the document only wraps a function from outside, whose scripts are
 * pinned with it; those of a workflow are files that are run where they lie.
 *
 * @throws AppError `reference-invalid` when a reference is not known before the run: an expression, or a catalog without a place.
 */
export function externalReferences(document: JsonObject, options: { readonly isFunction: boolean }): readonly ExternalReference[] {
  const found: ExternalReference[] = [];
  const use = objectAt(document, "use");
  schemas(found, use, document, "");
  for (const { task, pointer } of collectTasks(document).flatMap((group) => group.sites)) {
    schemas(found, use, task, pointer);
    const iterator = iteratorOf(task);
    schemas(found, use, iterator.clause, joinPointer(pointer, ...iterator.at));
    const call = ownProperty(task, "call");
    if (typeof call === "string") functionReference(found, use, call, joinPointer(pointer, "call"));
    const source = objectAt(objectAt(objectAt(task, "run"), "script"), "source");
    if (options.isFunction && Object.hasOwn(source, "endpoint"))
      found.push(
        endpointReference(use, ownProperty(source, "endpoint"), {
          kind: "script",
          pointer: joinPointer(pointer, "run", "script", "source", "endpoint"),
        }),
      );
  }
  return found;
}

/** The catalog that the function of a call stands in, when the document declares it. */
export function declaredCatalog(
  use: JsonObject,
  call: string,
): { readonly catalog: string; readonly name: string; readonly version: string } | undefined {
  const [, name, version, catalog] = CATALOG_FUNCTION.exec(call) ?? [];
  if (name === undefined || version === undefined || catalog === undefined) return undefined;
  return Object.hasOwn(objectAt(use, "catalogs"), catalog) ? { catalog, name, version } : undefined;
}

function functionReference(found: ExternalReference[], use: JsonObject, call: string, pointer: string): void {
  if (BUILT_IN_CALLS.some((builtIn) => builtIn === call) || Object.hasOwn(objectAt(use, "functions"), call)) return;
  const declared = declaredCatalog(use, call);
  if (declared !== undefined) {
    const { catalog, name, version } = declared;
    const at = joinPointer("/use/catalogs", catalog, "endpoint");
    const root = endpointReference(use, ownProperty(objectAt(objectAt(use, "catalogs"), catalog), "endpoint"), {
      kind: "function",
      pointer: at,
    });
    found.push({ ...root, name: call, uri: catalogFunctionUri(root.uri, name, version), catalog, pointer });
  } else if (isLocatedFunction(call))
    found.push({ kind: "function", name: call, uri: rawUri(call), catalog: undefined, authentication: undefined, pointer });
}

function schemas(found: ExternalReference[], use: JsonObject, owner: JsonObject, pointer: string): void {
  for (const key of ["input", "output", "export"]) {
    const resource = objectAt(objectAt(objectAt(owner, key), "schema"), "resource");
    if (!Object.hasOwn(resource, "endpoint")) continue;
    const at = joinPointer(pointer, key, "schema", "resource", "endpoint");
    found.push(endpointReference(use, ownProperty(resource, "endpoint"), { kind: "schema", pointer: at }));
  }
}

function endpointReference(
  use: JsonObject,
  endpoint: Json | undefined,
  { kind, pointer }: Pick<ExternalReference, "kind" | "pointer">,
): ExternalReference {
  const uri = endpointUri(endpoint);
  if (uri === undefined || isWrappedExpression(uri) || /\{[^{}]*\}/.test(uri))
    throw new AppError("reference-invalid", `The ${kind} at ${pointer} has to be known before a run starts: its place is an expression.`);
  return { kind, name: uri, uri: rawUri(uri), catalog: undefined, authentication: authenticationOf(use, endpoint), pointer };
}

/** The URI of an endpoint in either form. */
export function endpointUri(endpoint: Json | undefined): string | undefined {
  const uri = isJsonObject(endpoint) ? ownProperty(endpoint, "uri") : endpoint;
  return typeof uri === "string" ? uri : undefined;
}

function authenticationOf(use: JsonObject, endpoint: Json | undefined): JsonObject | undefined {
  const policy = isJsonObject(endpoint) ? ownProperty(endpoint, "authentication") : undefined;
  if (!isJsonObject(policy)) return undefined;
  const name = ownProperty(policy, "use");
  const named = typeof name === "string" ? ownProperty(objectAt(use, "authentications"), name) : undefined;
  return isJsonObject(named) ? named : policy;
}

function objectAt(object: JsonObject, key: string): JsonObject {
  const value = ownProperty(object, key);
  return isJsonObject(value) ? value : {};
}
