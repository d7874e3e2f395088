import type { ConformanceResult } from "./result.ts";
import { inShards } from "./shards.ts";

/**
 * Our own suite, `suite/README.md`: each case on the in-memory store and on SQLite, undisturbed and with the process dying at every position of
 * its records.
 *
 * @param cases ids of cases, of files (`flow/switch`) or of tables; none means all.
 */
export async function runSuite(cases: readonly string[], stores: readonly string[] = ["memory", "sqlite"]): Promise<ConformanceResult> {
  const result = await inShards("./suite-runner/suite-process.ts", [stores.join(","), ...cases]);
  return result.total === 0 ? { ...result, failures: [`there is no case ${cases.join(", ")}`] } : result;
}
