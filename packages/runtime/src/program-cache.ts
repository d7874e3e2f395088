import { hash } from "node:crypto";
import { compileWorkflow, type Finding, lintDocument, parseDocument, type WorkflowProgram } from "@tutti/definition";
import type { EngineContext } from "@tutti/engine";
import { AppError, type Json, type JsonObject } from "@tutti/model";
import type { DefinitionRow, Store } from "@tutti/store";
import type { FunctionTable } from "./function-table.ts";
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
  /** By digest, least recently used first. */
  readonly #loaded = new Map<string, LoadedProgram>();
  /** Digests of loaded versions. */
  readonly #digests = new Map<string, string>();

  constructor(deps: { readonly store: Store; readonly functions: FunctionTable; readonly version: string }) {
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
    const { program, findings } = accept(source, this.#functions);
    const { namespace, name, version } = program;
    const definition = {
      namespace,
      name,
      version,
      digest: hash("sha256", source.text, "hex"),
      baseDirectory: source.baseDirectory,
      publishedAtMs,
    };
    const outcome = await this.#store.putDefinition({ ...definition, text: source.text });
    if (outcome === "conflict") {
      throw new AppError("definition-immutable", `${namespace}/${name} ${version} is published already with another text.`, {
        details: { namespace, name, version },
      });
    }
    return { definition, created: outcome === "created", findings };
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
    const { text, ...definition } = row;
    const program = compileAccepted(text, row);
    const loaded: LoadedProgram = { definition, context: { program, functions: this.#functions, runtime: this.#runtime } };
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

/** Checks a document with everything the linter knows, and compiles it. */
function accept(
  source: DocumentSource,
  functions: FunctionTable,
): { readonly program: WorkflowProgram; readonly findings: readonly Finding[] } {
  const file = source.file === undefined ? {} : { file: source.file };
  const parsed = parseDocument(source.text, file);
  const findings = lintDocument(parsed, { ...file, functions: functions.interfaces() });
  const errors = findings.filter((finding) => finding.severity === "error");
  if (parsed.json === undefined || errors.length > 0) throw invalid(source, errors);
  return { program: compileWorkflow(parsed.json), findings };
}

/** A published text was accepted once; a stricter linter of a later version does not stop its runs. */
function compileAccepted(text: string, row: DefinitionRow): WorkflowProgram {
  const { json } = parseDocument(text);
  if (json !== undefined) return compileWorkflow(json);
  const { namespace, name, version } = row;
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
