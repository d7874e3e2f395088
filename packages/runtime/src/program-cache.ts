import { hash } from "node:crypto";
import {
  compileWorkflow,
  type Finding,
  lintDocument,
  parseDocument,
  type PinnedReference,
  readAccepted,
  type WorkflowProgram,
} from "@tutti/definition";
import type { EngineContext } from "@tutti/engine";
import { AppError, assert, isJsonObject, type Json, type JsonObject } from "@tutti/model";
import type { DefinitionKey, DefinitionRow, Store } from "@tutti/store";
import type { FunctionTable } from "./function-table.ts";
import { pinReferences } from "./pin-references.ts";
import type { ReferenceReader } from "./reference-reader.ts";
import type { DocumentSource } from "./runtime.ts";

/** Programs kept compiled; a compiled document is some ten times its text. */
const PROGRAMS_MAX = 200;
/** Findings named in the message of a refusal; all are in its details. */
const FINDINGS_SHOWN_MAX = 5;

/** A published version, ready to run. */
export interface LoadedProgram {
  readonly definition: Omit<DefinitionRow, "text">;
  readonly context: EngineContext;
}

/** Checks and compiles each text once; runs of one version share the program. */
export class ProgramCache {
  readonly #store: Store;
  readonly #functions: FunctionTable;
  readonly #runtime: JsonObject;
  readonly #references: ReferenceReader;
  /** By digest, least recently used first. */
  readonly #loaded = new Map<string, LoadedProgram>();
  /** Digests of loaded versions. */
  readonly #digests = new Map<string, string>();

  constructor(deps: {
    readonly store: Store;
    readonly functions: FunctionTable;
    readonly version: string;
    readonly references: ReferenceReader;
  }) {
    this.#references = deps.references;
    this.#store = deps.store;
    this.#functions = deps.functions;
    this.#runtime = { name: "tutti", version: deps.version, metadata: {} };
  }

  /**
   * Publishes a document.
   *
   * @throws AppError `definition-invalid` with all findings; `definition-immutable` when the version is there with another text.
   */
  async publish(
    source: DocumentSource,
    publishedAtMs: number,
  ): Promise<{ readonly definition: Omit<DefinitionRow, "text">; readonly created: boolean; readonly findings: readonly Finding[] }> {
    const { document, findings } = accept(source, this.#functions);
    const key = keyOf(document);
    // A version that is there keeps what it refers to, whatever has become of it outside.
    const known = await this.#store.loadDefinition(key);
    if (known !== undefined && known.text === source.text) return { definition: headOf(known), created: false, findings };
    const { references, digest } = await this.#compile(document, source);
    const definition = { ...key, digest, baseDirectory: source.baseDirectory, publishedAtMs };
    const { namespace, name, version } = key;
    const outcome = await this.#store.putDefinition({
      ...definition,
      text: source.text,
      ...(references !== undefined && { references }),
    });
    if (outcome === "conflict") {
      throw new AppError("definition-immutable", `${namespace}/${name} ${version} is published already with another text.`, {
        details: { namespace, name, version },
      });
    }
    return { definition, created: outcome === "created", findings };
  }

  /** The program that publishing the document would give, without publishing it. @throws AppError as `publish`. */
  async draft(source: DocumentSource, nowMs: number): Promise<LoadedProgram> {
    const { document } = accept(source, this.#functions);
    const key = keyOf(document);
    const known = await this.#store.loadDefinition(key);
    if (known !== undefined && known.text === source.text) return this.#load(known);
    const { program, digest } = await this.#compile(document, source);
    const definition = { ...key, digest, baseDirectory: source.baseDirectory, publishedAtMs: nowMs };
    return { definition, context: { program, functions: this.#functions, runtime: this.#runtime } };
  }

  /** With what the document refers to, as it is now. */
  async #compile(
    document: JsonObject,
    source: DocumentSource,
  ): Promise<{ readonly program: WorkflowProgram; readonly references: string | undefined; readonly digest: string }> {
    const pinned = await pinReferences(document, source.baseDirectory, { reader: this.#references, functions: this.#functions });
    const program = compileWorkflow(document, pinned);
    const references = pinned.length === 0 ? undefined : JSON.stringify(pinned);
    return { program, references, digest: hash("sha256", references === undefined ? source.text : `${source.text}\n${references}`, "hex") };
  }

  /** The version (or the `latest`) of a workflow, or undefined. */
  async find(namespace: string, name: string, version: string): Promise<LoadedProgram | undefined> {
    // A published version never changes, so its digest is known for good; `latest` is looked up each time.
    const digest = version === "latest" ? undefined : this.#digests.get(versionKey(namespace, name, version));
    const known = digest === undefined ? undefined : this.#loaded.get(digest);
    if (known !== undefined) return known;
    const row = await this.#store.loadDefinition({ namespace, name, version });
    return row === undefined ? undefined : this.#load(row);
  }

  /** @throws AppError `definition-not-found`. */
  async get(namespace: string, name: string, version: string): Promise<LoadedProgram> {
    const found = await this.find(namespace, name, version);
    if (found !== undefined) return found;
    throw new AppError("definition-not-found", `There is no workflow ${namespace}/${name} ${version}.`, {
      details: { namespace, name, version },
    });
  }

  /** The program of a stored run. */
  async ofDigest(digest: string, runId: string): Promise<LoadedProgram> {
    const known = this.#loaded.get(digest);
    if (known !== undefined) return this.#touch(digest, known);
    const row = await this.#store.loadDefinitionByDigest(digest);
    if (row !== undefined) return this.#load(row);
    throw new AppError("store-damaged", `The definition of run ${runId} is not in the store (digest ${digest}).`, {
      details: { runId, digest },
    });
  }

  #load(row: DefinitionRow): LoadedProgram {
    const known = this.#loaded.get(row.digest);
    if (known !== undefined && known.definition.version === row.version) return this.#touch(row.digest, known);
    const program = compileAccepted(row);
    const loaded: LoadedProgram = { definition: headOf(row), context: { program, functions: this.#functions, runtime: this.#runtime } };
    this.#loaded.set(row.digest, loaded);
    this.#digests.set(versionKey(row.namespace, row.name, row.version), row.digest);
    const oldest = this.#loaded.size > PROGRAMS_MAX ? this.#loaded.keys().next().value : undefined;
    if (oldest !== undefined) this.#forget(oldest);
    return loaded;
  }

  #forget(digest: string): void {
    const { namespace, name, version } = this.#loaded.get(digest)?.definition ?? {};
    this.#loaded.delete(digest);
    if (namespace !== undefined && name !== undefined && version !== undefined) this.#digests.delete(versionKey(namespace, name, version));
  }

  #touch(digest: string, program: LoadedProgram): LoadedProgram {
    this.#loaded.delete(digest);
    this.#loaded.set(digest, program);
    return program;
  }
}

function versionKey(namespace: string, name: string, version: string): string {
  return `${namespace}/${name}/${version}`;
}

/** Checks a document with everything the linter knows. */
function accept(
  source: DocumentSource,
  functions: FunctionTable,
): { readonly document: JsonObject; readonly findings: readonly Finding[] } {
  const file = source.file === undefined ? {} : { file: source.file };
  const parsed = parseDocument(source.text, file);
  const findings = lintDocument(parsed, { ...file, functions: functions.interfaces() });
  const errors = findings.filter((finding) => finding.severity === "error");
  if (parsed.json === undefined || errors.length > 0) throw invalid(source, errors);
  return { document: parsed.json, findings };
}

function keyOf(document: JsonObject): DefinitionKey {
  const head = document["document"];
  assert(isJsonObject(head), "the linter has checked the head of the document");
  const text = (key: string): string => (typeof head[key] === "string" ? head[key] : "");
  return { namespace: text("namespace"), name: text("name"), version: text("version") };
}

function headOf({ text: _text, references: _references, ...head }: DefinitionRow): Omit<DefinitionRow, "text"> {
  return head;
}

/** A published text was accepted once; a stricter linter of a later version does not stop its runs. */
function compileAccepted({ text, references, namespace, name, version }: DefinitionRow): WorkflowProgram {
  const json = readAccepted(text);
  // Only `publish` writes these texts, and the store checks that they are undamaged.
  if (json !== undefined) return compileWorkflow(json, references === undefined ? [] : (JSON.parse(references) as PinnedReference[]));
  throw new AppError("store-damaged", `The definition ${namespace}/${name} ${version} can't be read.`, {
    details: { namespace, name, version },
  });
}

function invalid(source: DocumentSource, errors: readonly Finding[]): AppError {
  const shown = errors.slice(0, FINDINGS_SHOWN_MAX).map((finding) => `${finding.line}:${finding.column} ${finding.message}`);
  const more = errors.length > shown.length ? ` (and ${errors.length - shown.length} more)` : "";
  // Findings are plain data.
  const details = { findings: errors as unknown as Json, ...(source.file === undefined ? {} : { file: source.file }) };
  return new AppError("definition-invalid", `${source.file ?? "The document"} can't be accepted: ${shown.join("; ")}${more}`, { details });
}
