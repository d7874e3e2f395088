import type { Connection } from "./connection.ts";
import { executeJobs } from "./execute-jobs.ts";
import { packResults, type PackedResult, unpackJobs } from "./pack-jobs.ts";
import type { RequestOf } from "./worker-client.ts";

/** What the writing thread does. */
export function carryOut(connection: Connection, request: RequestOf<"writer">): readonly PackedResult[] {
  return packResults(executeJobs(connection, unpackJobs(request.jobs)));
}
