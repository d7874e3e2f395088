// Runs one case as a process of its own, which crash points may kill: `run-process.ts CASE_FILE`. Prints the result as one line of JSON.
import { runCase } from "./run-case.ts";

const [caseFile = ""] = process.argv.slice(2);
process.stdout.write(`${JSON.stringify(await runCase(caseFile, process.env))}\n`);
