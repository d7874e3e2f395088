import { lintDocument } from "@tutti/definition";
import { LINTER_CORPUS, type LinterCase } from "./linter-corpus.ts";
import type { ConformanceResult } from "./result.ts";

const MARK = "▸";
const HEAD = "document: { dsl: 1.0.3, namespace: corpus, name: bad, version: 1.0.0 }\n";

/** Every item of the linter's list is reported with its rule, severity, line and column, and no other error is. */
export function runLinterList(): ConformanceResult {
  const failures = LINTER_CORPUS.flatMap((item) => problemWith(item) ?? []);
  return { passed: LINTER_CORPUS.length - failures.length, total: LINTER_CORPUS.length, failures, notes: [] };
}

function problemWith(item: LinterCase): string | undefined {
  const marked = (item.head === false ? "" : HEAD) + item.text;
  const offset = marked.indexOf(MARK);
  if (offset < 0) throw new Error(`the case "${item.about}" has no ${MARK}`);
  const text = marked.replace(MARK, "");
  const before = text.slice(0, offset);
  const line = before.split("\n").length;
  const column = offset - before.lastIndexOf("\n");
  const findings = lintDocument(text, item.functions === undefined ? {} : { functions: item.functions });
  const isFound = findings.some(
    (finding) => finding.rule === item.rule && finding.severity === item.severity && finding.line === line && finding.column === column,
  );
  const strange = findings.filter((finding) => finding.severity === "error" && finding.rule !== item.rule);
  if (isFound && strange.length === 0) return undefined;
  const seen = findings
    .map((finding) => `${finding.severity} ${finding.rule} ${finding.line}:${finding.column} ${finding.message}`)
    .join("; ");
  return `${item.about}: wanted ${item.severity} ${item.rule} at ${line}:${column}; got ${seen === "" ? "nothing" : seen}`;
}
