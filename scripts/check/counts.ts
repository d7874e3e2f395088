import { appendFileSync } from "node:fs";

/** What one run of a proof did and found, in whole numbers: the figures that `docs/proof.json` adds up. */
export interface Counts {
  /** `crash`, `power` …: which proof. */
  readonly proof: string;
  readonly seed: number;
  readonly violations: number;
  readonly [figure: string]: number | string;
}

/** Prints the counts as one line `COUNTS {…}`, and adds it to the file named in `TUTTI_COUNTS` so that long runs can be summed. */
export function writeCounts(counts: Counts): void {
  const line = JSON.stringify(counts);
  process.stdout.write(`COUNTS ${line}\n`);
  const file = process.env["TUTTI_COUNTS"];
  if (file !== undefined) appendFileSync(file, `${line}\n`);
}
