import type { Finding } from "./finding.ts";
import { FINDINGS_MAX } from "./finding.ts";
import { joinPointer } from "./json-pointer.ts";
import { LintContext, type LintOptions } from "./lint/context.ts";
import { checkDataFlow } from "./lint/data-flow-rules.ts";
import { checkData } from "./lint/data-schema-rules.ts";
import { checkEndpoints } from "./lint/endpoint-rules.ts";
import { ExpressionReader } from "./lint/expression-facts.ts";
import { checkExpressions } from "./lint/expression-rules.ts";
import { checkExtensions } from "./lint/extension-rules.ts";
import { checkFlow } from "./lint/flow-rules.ts";
import { checkFunctions } from "./lint/function-rules.ts";
import { checkPortability } from "./lint/portability-rules.ts";
import { checkProcesses } from "./lint/process-rules.ts";
import { checkProfile } from "./lint/profile-rules.ts";
import { checkProtocols } from "./lint/protocol-rules.ts";
import { checkReferences } from "./lint/reference-rules.ts";
import { checkSagas } from "./lint/saga-rules.ts";
import { checkDocument } from "./lint/schedule-rules.ts";
import { parseDocument, type ParsedDocument } from "./parse-document.ts";
import { shapeProblems } from "./schema/messages.ts";
import { Workflow } from "./schema/workflow.ts";

/**
 * Everything that is wrong with a document, or worth knowing, in the order of its text. A document without findings of severity `error`
 * can be compiled.
 *
 * The layers build on each other: a text that is no document gets no findings of shape, a wrong shape none of meaning. So a document with
 * a misspelt key shows first that, and the rest after it is put right.
 */
export function lintDocument(document: string | ParsedDocument, options: LintOptions = {}): Finding[] {
  const parsed =
    typeof document === "string" ? parseDocument(document, options.file === undefined ? {} : { file: options.file }) : document;
  if (parsed.json === undefined) return inOrder(parsed.findings);
  const shape = shapeFindings(parsed);
  if (shape.length > 0) return inOrder([...parsed.findings, ...shape]);
  const context = new LintContext(parsed.json, parsed, options);
  const reader = new ExpressionReader();
  checkDocument(context);
  checkFlow(context);
  checkReferences(context);
  checkFunctions(context);
  checkExtensions(context);
  checkExpressions(context, reader);
  checkEndpoints(context);
  checkData(context);
  checkProcesses(context);
  checkProtocols(context);
  checkProfile(context);
  checkSagas(context);
  checkDataFlow(context, reader);
  checkPortability(context);
  return inOrder([...parsed.findings, ...context.findings], context.hasMore);
}

function shapeFindings(parsed: ParsedDocument): Finding[] {
  const result = Workflow.safeParse(parsed.json);
  if (result.success || parsed.json === undefined) return [];
  return shapeProblems(parsed.json, result.error.issues).map(({ rule, message, path, place, hint }) => {
    const pointer = joinPointer("", ...path);
    return { severity: "error", rule, message, pointer, ...parsed.positionOf(pointer, place), ...(hint === undefined ? {} : { hint }) };
  });
}

function inOrder(findings: readonly Finding[], hasMore = false): Finding[] {
  const sorted = findings.toSorted((left, right) => left.line - right.line || left.column - right.column);
  const last = sorted[FINDINGS_MAX - 1];
  if (last === undefined || (sorted.length === FINDINGS_MAX && !hasMore)) return sorted;
  // Nothing that is left out may make a refused document look accepted.
  const severity = sorted.some((finding) => finding.severity === "error") ? "error" : "warning";
  const cut: Finding = { ...last, severity, rule: "too-many-findings", message: "There are more findings than are shown." };
  return [...sorted.slice(0, FINDINGS_MAX), cut];
}
