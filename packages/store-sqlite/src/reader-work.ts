import { backupTo } from "./backup.ts";
import { checkStore } from "./check.ts";
import type { Connection } from "./connection.ts";
import { countRuns, listRuns } from "./list-runs.ts";
import { listFinished } from "./retention.ts";
import type { RequestOf } from "./worker-client.ts";

/** What the reading thread does. */
export function carryOut(connection: Connection, request: RequestOf<"reader">): unknown {
  switch (request.kind) {
    case "check":
      return checkStore(connection);
    case "list":
      return listRuns(connection, request.query, request.plan);
    case "count":
      return countRuns(connection, request.tenant);
    case "backup":
      return backupTo(connection, request.file);
    case "finished":
      return listFinished(connection, request.query);
  }
}
