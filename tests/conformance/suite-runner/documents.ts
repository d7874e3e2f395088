import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import type { Json } from "@tutti/model";
import { conformanceDir, readYaml, specificationDir } from "../material.ts";
import type { SuiteCase } from "./case-file.ts";

type Check = (document: Json) => string | undefined;
let official: Check | undefined;

/**
 * Whether the official schema takes the case's documents, so that another runtime takes them, too. Empty when it does, or when the schema is
 * not there. (That our own linter takes them is part of playing the case.)
 */
export function checkDocuments(one: SuiteCase): readonly string[] {
  official ??= officialSchema();
  const check = official;
  return [...one.documents].flatMap(([name, document]) => {
    const problem = check(document);
    return problem === undefined ? [] : [`the official schema refuses ${name}: ${problem}`];
  });
}

function officialSchema(): Check {
  const folder = specificationDir(conformanceDir());
  if (folder === undefined) return () => undefined;
  const ajv = new Ajv2020({ strict: false, validateFormats: true });
  // The package is CommonJS: its default export arrives as a member in some module systems.
  const add = (typeof addFormats === "function" ? addFormats : (addFormats as { default: unknown }).default) as (instance: Ajv2020) => void;
  add(ajv);
  const check = ajv.compile(readYaml(readFileSync(join(folder, "schema/workflow.yaml"), "utf8"), "workflow.yaml"));
  return (document) => (check(document) ? undefined : ajv.errorsText(check.errors?.slice(-3)));
}
