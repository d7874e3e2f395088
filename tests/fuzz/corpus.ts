import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseCases } from "../conformance/jq.ts";
import { conformanceDir, corpusTexts, exampleTexts, specificationDir } from "../conformance/material.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
/** Where documents of ours stand. */
const FOLDERS = ["examples", "tests/conformance/suite"];
/** Longer documents say nothing that shorter ones don't, and reading them is most of what an input costs. */
const DOCUMENT_LENGTH_MAX = 2_500;

/** Workflow documents: ours, and the specification's where they are. */
export function documentTexts(): readonly string[] {
  const ours = FOLDERS.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && /\.ya?ml$/.test(entry.name))
      .map((entry) => readFileSync(join(entry.parentPath, entry.name), "utf8")),
  );
  const specification = specificationDir(conformanceDir());
  const theirs = specification === undefined ? [] : [...exampleTexts(specification).values()];
  return [...ours, ...corpusTexts().values(), ...theirs].filter((text) => text.length <= DOCUMENT_LENGTH_MAX);
}

/** Expressions: those of the documents, and those of jq's own suite where it is. */
export function programTexts(): readonly string[] {
  const wrapped = documentTexts().flatMap((text) => [...text.matchAll(/\$\{([^}\n]+)\}/g)].map(([, source = ""]) => source.trim()));
  const suite = join(conformanceDir(), "jq/jq.test");
  const cases = existsSync(suite) ? parseCases("jq.test", readFileSync(suite, "utf8")).map(({ program }) => program) : [];
  return [...new Set([...wrapped, ...cases])];
}
