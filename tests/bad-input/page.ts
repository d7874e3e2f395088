import type { Row } from "./row.ts";
import { GROUPS } from "./rows.ts";

/** docs/bad-input.md: what the tests check, for people. */
export function badInputPage(): string {
  const count = Object.values(GROUPS).reduce((sum, { rows }) => sum + rows.length, 0);
  return [
    "# Bad input",
    "",
    "Generated from `tests/bad-input/rows.ts` by `npm run generate`; change it there.",
    "",
    `What goes wrong before, around and inside of runs, ${count} kinds of it. Each row is a test of the same name: \`npm run check -- bad-input\` runs`,
    "all, `node scripts/run.mjs vitest run --project exhaustive tests/bad-input -t NAME` one. Every test gives its input to the `tutti` command as a",
    "person would, beside a living `tutti up`, and checks that",
    "",
    "- the user reads the code and the parts of the message shown here, the place and the way out among them, and never a stack trace;",
    "- the command ends with the exit code shown;",
    "- the process is the same afterwards, answers, and has never held more than 1 GiB;",
    "- another run, started meanwhile, and a third one, started afterwards, complete in time;",
    "- what went wrong is kept where the last column says, and goes on as it says.",
    "",
    "A control in each group spoils message, exit code and process in turn, and has to be found out.",
    "",
    ...Object.entries(GROUPS).flatMap(([name, { title, rows }]) => [`## ${title}`, "", ...table(name, rows), ""]),
    "What is not here: a script that forks faster than it can be ended takes the whole machine; give Tutti a limit of its own for that (`TasksMax` of",
    "systemd, `pids.max` of a cgroup). Errors with their codes: [reference/errors.md](reference/errors.md).",
    "",
  ].join("\n");
}

function table(group: string, rows: readonly Row[]): readonly string[] {
  return [
    "| what goes in | what the user sees | exit | what goes on | test |",
    "| --- | --- | --- | --- | --- |",
    ...rows.map((row) => `| ${[row.input, sees(row), String(row.exit), row.goesOn, `${group} > ${row.name}`].map(cell).join(" | ")} |`),
  ];
}

/** The code, then the parts of the message with what lies between left out. Placeholders are written as `HOST`. */
function sees(row: Row): string {
  const parts = row.says.map((part) => part.replaceAll(/\{(\w+)\}/g, (_, name: string) => name.toUpperCase()));
  return [...(row.code === undefined ? [] : [`**${row.code}**`]), parts.map(asCode).join(" … ")].filter((part) => part !== "").join(" ");
}

/** Text as code, whatever backticks are in it. */
function asCode(text: string): string {
  const trimmed = text.trim();
  return trimmed.includes("`") ? `\`\` ${trimmed} \`\`` : `\`${trimmed}\``;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("\n", " ");
}
