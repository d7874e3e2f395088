import type { Finding } from "@tutti/host";
import { AppError } from "@tutti/model";
import type { Io } from "./io.ts";
import type { Style } from "./render/style.ts";
import { oneLine, plural } from "./render/text.ts";

export interface FileFindings {
  readonly file: string;
  readonly findings: readonly Finding[];
}

/** Prints findings a line each, `FILE:LINE:COLUMN: severity: message [rule]`, the form that editors jump to. To standard error: the findings are not the command's answer. */
export function printFindings(
  io: Io,
  style: Style,
  files: readonly FileFindings[],
  options: { readonly only: readonly Finding["severity"][]; readonly isJson: boolean },
): void {
  if (options.isJson) return;
  for (const { file, findings } of files) {
    for (const finding of findings) if (options.only.includes(finding.severity)) io.error(`${renderFinding(file, finding, style)}\n`);
  }
}

export function renderFinding(file: string, finding: Finding, style: Style): string {
  const paint = { error: style.bad, warning: style.attention, note: style.dim }[finding.severity];
  const hint = finding.hint === undefined ? "" : ` ${oneLine(finding.hint)}`;
  return `${file}:${finding.line}:${finding.column}: ${paint(finding.severity)}: ${oneLine(finding.message)}${hint} ${style.dim(`[${finding.rule}]`)}`;
}

/** @throws AppError `definition-invalid` with the findings in its details. */
export function refuseErrors(findings: readonly Finding[], file: string): void {
  const errors = findings.filter((finding) => finding.severity === "error");
  const [first] = errors;
  if (first === undefined) return;
  throw new AppError(
    "definition-invalid",
    `${file} has ${plural(errors.length, "error")}; the first is in line ${first.line}: ${first.message}`,
    {
      details: { file, findings: errors.map(({ line, column, rule, message, pointer }) => ({ line, column, rule, message, pointer })) },
    },
  );
}
