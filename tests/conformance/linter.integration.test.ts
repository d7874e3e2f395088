import { compileWorkflow, lintDocument, parseDocument } from "@tutti/definition";
import type { Json, JsonObject } from "@tutti/model";
import { describe, expect, test } from "vitest";
import { runExamples } from "./examples.ts";
import { LINTER_CORPUS } from "./linter-corpus.ts";
import { runLinterList } from "./linter.ts";
import { conformanceDir, corpusTexts, specificationDir } from "./material.ts";
import { mutate, seededRandom } from "./mutation.ts";
import { runSchemaAgreement } from "./schema-agreement.ts";

const hasSpecification = specificationDir(conformanceDir()) !== undefined;

test("every item of the linter's list is found at its place", () => {
  expect(runLinterList().failures).toEqual([]);
});

test.skipIf(!hasSpecification)("the specification's examples are accepted", () => {
  const { passed, failures } = runExamples(conformanceDir());
  expect(failures).toEqual([]);
  expect(passed).toBe(68);
});

test.skipIf(!hasSpecification)("our schema and the official one agree on mutated documents", async () => {
  expect((await runSchemaAgreement(conformanceDir(), { mutations: 500, seed: 2 })).failures).toEqual([]);
});

describe("whatever a document holds", () => {
  const seed = Number(process.env["TUTTI_SEED"] ?? 1);
  test(`linting ends with findings, and what it accepts compiles (seed ${seed})`, () => {
    const texts = [...corpusTexts().values(), ...LINTER_CORPUS.map(({ text }) => text.replace("▸", ""))];
    const documents = texts.flatMap((text) => parseDocument(text).json ?? []) as Json[];
    const random = seededRandom(seed);
    const pick = (): Json => documents[Math.floor(random() * documents.length)] as Json;
    let accepted = 0;
    for (let round = 0; round < 1500; round++) {
      const head = { dsl: "1.0.3", namespace: "corpus", name: "mutated", version: "1.0.0" };
      const text = JSON.stringify({ document: head, ...(mutate(pick(), pick(), random) as object) });
      const findings = lintDocument(text);
      const { json } = parseDocument(text);
      if (json === undefined || findings.some(({ severity }) => severity === "error")) continue;
      accepted++;
      // The text is what a failure must show: it is the way to repeat it.
      expect([text, compileError(json)]).toEqual([text, undefined]);
    }
    expect(accepted).toBeGreaterThan(50);
  });
});

function compileError(document: JsonObject): unknown {
  try {
    compileWorkflow(document);
    return undefined;
  } catch (error) {
    return error;
  }
}
