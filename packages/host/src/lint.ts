import type { Finding, ParsedDocument } from "@tutti/definition";
import { AppError, isJsonObject, type Json } from "@tutti/model";

export interface LintReport {
  /** All findings, in the order of the text. */
  readonly findings: readonly Finding[];
  /** `namespace/name:version`, when the document says so much. */
  readonly name: string | undefined;
}

/** Checks a workflow document against the language and the functions of this installation. Needs no data directory; the checker is loaded on first use. */
export async function lint(
  text: string,
  options: { readonly file: string; readonly environment: Readonly<Record<string, string | undefined>> },
): Promise<LintReport> {
  const [{ lintDocument, parseDocument }, { FunctionTable }, { loadConnectors }] = await Promise.all([
    import("@tutti/definition"),
    import("@tutti/runtime"),
    import("./connectors.ts"),
  ]);
  const { file, environment } = options;
  const parsed = parseDocument(text, { file });
  const functions = new FunctionTable(await loadConnectors(environment)).interfaces();
  return { findings: lintDocument(parsed, { file, functions }), name: nameOf(parsed) };
}

/**
 * Reads data that a user gives: JSON of any kind, or a YAML mapping.
 *
 * @throws AppError `input-invalid` with line and column.
 */
export async function parseData(text: string, name: string): Promise<Json> {
  try {
    return JSON.parse(text) as Json;
  } catch {
    // YAML, or JSON with an error: the YAML reader says where.
  }
  const { parseDocument } = await import("@tutti/definition");
  const parsed = parseDocument(text, { file: name });
  if (parsed.json !== undefined) return parsed.json;
  const [problem] = parsed.findings;
  const where = problem === undefined ? "" : `:${problem.line}:${problem.column}`;
  const what = problem?.rule === "not-a-document" ? "It is neither JSON nor a YAML mapping." : (problem?.message ?? "It cannot be read.");
  throw new AppError("input-invalid", `${name}${where}: ${what}`, {
    details: { file: name },
    hint: "Give JSON, or YAML with `key: value` lines.",
  });
}

function nameOf(parsed: ParsedDocument): string | undefined {
  const head = parsed.json?.["document"];
  if (!isJsonObject(head)) return undefined;
  const { namespace, name, version } = head;
  return typeof name === "string"
    ? `${typeof namespace === "string" ? namespace : "default"}/${name}:${typeof version === "string" ? version : "?"}`
    : undefined;
}
