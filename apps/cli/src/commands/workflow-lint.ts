import { lint } from "@tutti/host";
import { type Cli, newCommand } from "../cli.ts";
import { EXIT } from "../exit-code.ts";
import { type FileFindings, renderFinding } from "../lint-report.ts";
import { plural } from "../render/text.ts";
import { type CommonOptions, styleFor, withCommonOptions } from "../session.ts";
import { readNamed } from "../values.ts";

/** `tutti workflow lint`: checks documents, offline and without a data directory. */
export function workflowLint(cli: Cli): ReturnType<typeof newCommand> {
  const command = newCommand("lint", "check workflow documents").argument("<files...>", "documents, YAML or JSON; - is standard input");
  return withCommonOptions(command, { data: false }).action((files: readonly string[], options: CommonOptions) =>
    cli.act(() => lintFiles(cli, files, options)),
  );
}

async function lintFiles(cli: Cli, files: readonly string[], options: CommonOptions): Promise<number> {
  const { io } = cli;
  const checked: FileFindings[] = [];
  for (const file of files)
    checked.push({ file, findings: (await lint(await readNamed(io, file), { file, environment: io.environment })).findings });
  const errors = count(checked, "error");
  const warnings = count(checked, "warning");
  if (options.json) {
    const printed = checked.map(({ file, findings }) => ({
      file,
      findings: findings.map(({ severity, rule, message, line, column, pointer, hint }) => ({
        severity,
        rule,
        message,
        line,
        column,
        pointer,
        hint: hint ?? null,
      })),
    }));
    io.out(`${JSON.stringify({ files: printed, errors, warnings })}\n`);
  } else {
    const style = styleFor(io, options);
    for (const { file, findings } of checked) for (const finding of findings) io.out(`${renderFinding(file, finding, style)}\n`);
    io.error(
      `${plural(files.length, "file")}: ${errors === 0 ? style.good("no errors") : style.bad(plural(errors, "error"))}${warnings === 0 ? "" : `, ${style.attention(plural(warnings, "warning"))}`}\n`,
    );
  }
  return errors === 0 ? EXIT.ok : EXIT.usage;
}

function count(files: readonly FileFindings[], severity: "error" | "warning"): number {
  return files.reduce((sum, { findings }) => sum + findings.filter((finding) => finding.severity === severity).length, 0);
}
