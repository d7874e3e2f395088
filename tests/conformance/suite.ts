import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { ConformanceResult } from "./result.ts";

/** As many as CI has processors; each takes every second case. */
const PROCESSES = 2;

/**
 * Our own suite, `suite/README.md`: each case on the in-memory store and on SQLite, undisturbed and with the process dying at every position of
 * its records.
 *
 * @param cases ids of cases, of files (`flow/switch`) or of tables; none means all.
 */
export async function runSuite(cases: readonly string[], stores: readonly string[] = ["memory", "sqlite"]): Promise<ConformanceResult> {
  const parts = await Promise.all(Array.from({ length: PROCESSES }, (_, index) => runShard(index, stores, cases)));
  const total = parts.reduce((sum, part) => sum + part.total, 0);
  if (total === 0) return { passed: 0, total: 0, failures: [`there is no case ${cases.join(", ")}`], notes: [] };
  return {
    passed: parts.reduce((sum, part) => sum + part.passed, 0),
    total,
    failures: parts.flatMap((part) => part.failures),
    notes: parts.flatMap((part) => part.notes),
  };
}

/** The documents are also judged by the official schema with ajv, which makes code; our processes forbid that, so the cases have their own. */
async function runShard(index: number, stores: readonly string[], cases: readonly string[]): Promise<ConformanceResult> {
  const script = fileURLToPath(new URL("./suite-runner/suite-process.ts", import.meta.url));
  const child = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", script, String(index), String(PROCESSES), stores.join(","), ...cases],
    {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, NODE_OPTIONS: "" },
    },
  );
  const chunks: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (code !== 0) throw new Error(`a process of the suite ended with code ${code}`);
  // Written by our own script, one process further.
  return JSON.parse(Buffer.concat(chunks).toString("utf8")) as ConformanceResult;
}
