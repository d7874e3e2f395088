import { spawnSync } from "node:child_process";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { programFile } from "../../scripts/programs.mjs";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** The command line as a user types it, on a data directory of its own. */
export class Tutti {
  readonly #dataDirectory: string;

  constructor(dataDirectory: string) {
    this.#dataDirectory = dataDirectory;
  }

  /** Shows the command and what it prints, and gives its exit code. */
  run(words: readonly string[]): number {
    process.stdout.write(`   $ tutti ${words.map((word) => (word.includes(" ") ? `"${word}"` : word)).join(" ")}\n`);
    const result = spawnSync(process.execPath, [...process.execArgv, programFile("apps/cli/src/main.ts"), ...words], {
      cwd: root,
      encoding: "utf8",
      env: { ...process.env, TUTTI_DATA: this.#dataDirectory },
    });
    process.stdout.write(`${indent(`${result.stdout}${result.stderr}`.trimEnd())}\n`);
    return result.status ?? 1;
  }
}

export function indent(text: string): string {
  return text
    .split("\n")
    .map((line) => `   ${line}`.trimEnd())
    .join("\n");
}
