import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { isJsonObject, type JsonObject } from "@tutti/model";
import { parseDocument } from "@tutti/definition";

const here = dirname(fileURLToPath(import.meta.url));

/** Where the material of others lies that is not part of this repository: the specification's schema, examples and kit. */
export function conformanceDir(): string {
  return process.env["TUTTI_CONFORMANCE_DIR"] ?? join(here, "../../../shared/conformance");
}

/** The specification's folder within `dir`, undefined when it is not there. */
export function specificationDir(dir: string): string | undefined {
  const specification = join(dir, "serverless-workflow");
  return existsSync(specification) ? specification : undefined;
}

/** The specification's example documents as text, by file name. */
export function exampleTexts(specification: string): ReadonlyMap<string, string> {
  return yamlTexts(join(specification, "examples"));
}

/** Our own documents for constructs that no example uses. */
export function corpusTexts(): ReadonlyMap<string, string> {
  return yamlTexts(join(here, "schema-corpus"));
}

function yamlTexts(folder: string): ReadonlyMap<string, string> {
  const names = readdirSync(folder).filter((name) => name.endsWith(".yaml"));
  return new Map(names.toSorted().map((name) => [name, readFileSync(join(folder, name), "utf8")]));
}

/** Reads YAML that must be right: material, not a user's document. */
export function readYaml(text: string, name: string): JsonObject {
  const { json, findings } = parseDocument(text, { file: name });
  if (isJsonObject(json)) return json;
  throw new Error(`${name} cannot be read: ${findings.map((finding) => finding.message).join(" ")}`);
}
