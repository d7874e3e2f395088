import { hash } from "node:crypto";
import {
  absoluteFunction,
  calledFunctions,
  compileSchemaCheck,
  type ExternalReference,
  externalReferences,
  type Finding,
  parseDocument,
  type PinnedReference,
  readFunction,
  referenceKey,
} from "@tutti/definition";
import { AppError, type Json, type JsonObject } from "@tutti/model";
import type { FunctionTable } from "./function-table.ts";
import type { ReferenceReader } from "./reference-reader.ts";

/** Texts that one document may bring in; a chain of functions that is longer has gone wrong. */
const REFERENCES_MAX = 200;
/** Of all of them together: what is pinned is loaded with the document. */
const REFERENCES_BYTES_MAX = 16 * 1024 * 1024;

export interface PinDeps {
  readonly reader: ReferenceReader;
  readonly functions: FunctionTable;
}

/** A reference to be read, with the text that it stands in. */
interface Wanted {
  readonly reference: ExternalReference;
  readonly from: string | undefined;
}

/**
 * Reads everything that a document refers to, and what that refers to in turn, so that from then on nothing is read again: a catalog that
 * changes, or is gone, changes nothing for a version that is published.
 *
 * @throws AppError `reference-invalid`, `reference-unreachable`, naming function, catalog and place.
 */
export async function pinReferences(
  document: JsonObject,
  baseDirectory: string | undefined,
  deps: PinDeps,
): Promise<readonly PinnedReference[]> {
  const pinned = new Map<string, PinnedReference>();
  const open: Wanted[] = externalReferences(document, { isFunction: false }).map((reference) => ({ reference, from: undefined }));
  let bytes = 0;
  for (let wanted = open.shift(); wanted !== undefined; wanted = open.shift()) {
    const { reference, from } = wanted;
    const key = referenceKey(reference);
    if (pinned.has(key)) continue;
    if (pinned.size >= REFERENCES_MAX)
      throw new AppError("limit-exceeded", `The document refers to more than ${REFERENCES_MAX} texts outside of it.`);
    const { uri, authentication } = reference;
    const { url, text } = await deps.reader.read({ uri, from, baseDirectory, authentication }).catch((cause: unknown) => {
      throw withReference(reference, cause);
    });
    bytes += text.length;
    if (bytes > REFERENCES_BYTES_MAX)
      throw new AppError("limit-exceeded", `What the document refers to is larger than ${REFERENCES_BYTES_MAX / 1024 / 1024} MiB.`);
    const { value, inner } = valueOf(reference, { url, text }, deps);
    pinned.set(key, { kind: reference.kind, name: reference.name, source: url, digest: hash("sha256", text, "hex"), value });
    open.push(...inner.map((one) => ({ reference: one, from: url })));
  }
  return [...pinned.values(), ...undosOf([document, ...functionsIn(pinned)], deps.functions)];
}

function functionsIn(pinned: ReadonlyMap<string, PinnedReference>): readonly JsonObject[] {
  return [...pinned.values()].flatMap(({ kind, value }) => (kind === "function" ? [{ do: [{ function: value }] }] : []));
}

/** How connectors undo the calls of these documents, as they declare it now: a run is undone as it was said when its workflow was published. */
function undosOf(documents: readonly JsonObject[], functions: FunctionTable): readonly PinnedReference[] {
  const names = new Set(documents.flatMap((document) => calledFunctions(document)));
  return [...names].flatMap((name): PinnedReference[] => {
    const { connector, declared } = functions.get(name);
    if (declared.undo === undefined) return [];
    const value = { call: `${declared.undo.call}@${connector.name}`, with: declared.undo.with };
    const digest = hash("sha256", JSON.stringify(value), "hex");
    return [{ kind: "undo", name, source: `connector:${connector.name}@${connector.version}`, digest, value }];
  });
}

function valueOf(
  reference: ExternalReference,
  { url, text }: { readonly url: string; readonly text: string },
  deps: PinDeps,
): { readonly value: Json; readonly inner: readonly ExternalReference[] } {
  switch (reference.kind) {
    case "script":
      return { value: text, inner: [] };
    case "schema":
      return { value: schemaOf(reference, url, text), inner: [] };
    case "function": {
      const { document, errors } = readFunction(text, { file: url, functions: deps.functions.interfaces() });
      if (document === undefined || errors.length > 0) throw unusable(reference, url, errors);
      const task = absoluteFunction(document, url);
      const absolute = { ...document, do: [{ function: task }] };
      return { value: task, inner: externalReferences(absolute, { isFunction: true }) };
    }
  }
}

function schemaOf(reference: ExternalReference, url: string, text: string): Json {
  const { json, findings } = parseDocument(text, { file: url });
  if (json === undefined) throw unusable(reference, url, findings);
  try {
    compileSchemaCheck(json);
  } catch (cause) {
    throw new AppError(
      "reference-invalid",
      `${describe(reference)} can't be used: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
  return json;
}

function unusable(reference: ExternalReference, url: string, errors: readonly Finding[]): AppError {
  const [first] = errors;
  const where = first === undefined ? url : `${url}:${first.line}:${first.column}`;
  // Findings are plain data.
  const details = { url, findings: errors as unknown as Json };
  return new AppError("reference-invalid", `${describe(reference)} can't be used: ${where} ${first?.message ?? "It is empty."}`, {
    details,
  });
}

function withReference(reference: ExternalReference, cause: unknown): unknown {
  if (!(cause instanceof AppError)) return cause;
  return new AppError(cause.code, `${describe(reference)}: ${cause.message}`, { cause, details: { pointer: reference.pointer } });
}

function describe({ kind, name, catalog, pointer }: ExternalReference): string {
  return `The ${kind} ${name}${catalog === undefined ? "" : ` of the catalog ${catalog}`} (${pointer})`;
}
