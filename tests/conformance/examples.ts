import { lintDocument } from "@tutti/definition";
import { exampleTexts, specificationDir } from "./material.ts";
import { type ConformanceResult, skipped } from "./result.ts";
import { inShards } from "./shards.ts";

/** All examples of the specification are accepted by the linter: no finding of severity `error`. Warnings and notes are counted. */
export function runExamples(dir: string): ConformanceResult {
  const specification = specificationDir(dir);
  if (specification === undefined) return skipped(`there is no ${dir}/serverless-workflow (set TUTTI_CONFORMANCE_DIR)`);
  const failures: string[] = [];
  const others = new Map<string, number>();
  const texts = exampleTexts(specification);
  for (const [name, text] of texts) {
    const findings = lintDocument(text, { file: name });
    const errors = findings.filter((finding) => finding.severity === "error");
    if (errors.length > 0)
      failures.push(`${name}: ${errors.map((error) => `${error.line}:${error.column} ${error.rule}: ${error.message}`).join("; ")}`);
    for (const { severity, rule } of findings)
      if (severity !== "error") others.set(`${severity} ${rule}`, (others.get(`${severity} ${rule}`) ?? 0) + 1);
  }
  const notes = [...others].map(([what, count]) => `${count} × ${what}`);
  return { passed: texts.size - failures.length, total: texts.size, failures, notes };
}

/**
 * All examples of the specification run as `examples/table.yaml` says, with stand-ins for the systems they call: on both stores, undisturbed and
 * with the process dying at every position of their records.
 *
 * @param names files of examples; none means all.
 */
export async function playExamples(dir: string, names: readonly string[]): Promise<ConformanceResult> {
  if (specificationDir(dir) === undefined) return skipped(`there is no ${dir}/serverless-workflow (set TUTTI_CONFORMANCE_DIR)`);
  const result = await inShards("./examples/examples-process.ts", names);
  return result.total === 0 ? { ...result, failures: [`there is no example ${names.join(", ")}`] } : result;
}
