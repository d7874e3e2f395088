import type { Finding, ParsedDocument } from "@tutti/definition";
import { AppError, isJsonObject, type Json, VALUE_DEPTH_MAX } from "@tutti/model";

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
  const json = parseJson(text);
  if (json !== undefined) {
    if (isDeeper(json)) throw invalid(name, `: It is nested more than ${VALUE_DEPTH_MAX} levels deep.`, "Give flatter data.");
    return json;
  }
  // YAML, or JSON with an error: the YAML reader says where.
  const { parseDocument } = await import("@tutti/definition");
  const parsed = parseDocument(text, { file: name });
  if (parsed.json !== undefined) return parsed.json;
  const [problem] = parsed.findings;
  const where = problem === undefined ? "" : `:${problem.line}:${problem.column}`;
  const isOther = problem?.rule === "not-a-document";
  const what = text.trim() === "" ? "It is empty." : isOther ? "It is neither JSON nor a YAML mapping." : problem?.message;
  throw invalid(name, `${where}: ${what?.replace("This is not valid YAML", "This is neither JSON nor YAML") ?? "It cannot be read."}`);
}

function invalid(name: string, what: string, hint = "Give JSON, or YAML with `key: value` lines."): AppError {
  return new AppError("input-invalid", `${name}${what}`, { details: { file: name }, hint });
}

function parseJson(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

/** Whether a value is nested deeper than any part of Tutti takes; without recursion, which is what would end there. */
function isDeeper(value: Json): boolean {
  let level: readonly Json[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > VALUE_DEPTH_MAX) return true;
    level = level.flatMap((one) => (typeof one === "object" && one !== null ? Object.values(one) : []));
  }
  return false;
}

function nameOf(parsed: ParsedDocument): string | undefined {
  const head = parsed.json?.["document"];
  if (!isJsonObject(head)) return undefined;
  const { namespace, name, version } = head;
  return typeof name === "string"
    ? `${typeof namespace === "string" ? namespace : "default"}/${name}:${typeof version === "string" ? version : "?"}`
    : undefined;
}
