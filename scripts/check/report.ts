import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** What a runner says about its own tests; `scripts/check.ts` adds these up. Written as JSON to the file named in `TUTTI_REPORT`. */
export interface Report {
  readonly passed: number;
  readonly failures: readonly { readonly name: string; readonly message: string }[];
  readonly skips: readonly { readonly name: string; readonly reason: string }[];
}

/** Leaves the report where the check asked for it; without a check nobody asks. */
export function writeReport(report: Report): void {
  const file = process.env["TUTTI_REPORT"];
  if (file === undefined) return;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(report, undefined, 2)}\n`);
}

/** The report a runner left, or undefined when it left none or half of one. */
export function readReport(file: string): Report | undefined {
  if (!existsSync(file)) return undefined;
  try {
    // Our own format, written by `writeReport` a moment ago.
    return JSON.parse(readFileSync(file, "utf8")) as Report;
  } catch {
    return undefined;
  }
}
