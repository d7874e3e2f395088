import type { Connection } from "./connection.ts";
import { executeJobs } from "./execute-jobs.ts";
import { unpackJobs } from "./pack-jobs.ts";
import type { RequestOf } from "./worker-client.ts";
import type { WriteResult } from "./write-job.ts";

/** What the writing thread does. */
export function carryOut(connection: Connection, request: RequestOf<"writer">): readonly WriteResult[] {
  return executeJobs(connection, unpackJobs(request.jobs));
}
