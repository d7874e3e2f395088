import { parentPort, workerData } from "node:worker_threads";
import { assert } from "@tutti/model";
import { backupTo } from "./backup.ts";
import { checkStore } from "./check.ts";
import { checkpoint } from "./checkpoint.ts";
import { Connection } from "./connection.ts";
import { failureOf } from "./errors.ts";
import { executeJobs } from "./execute-jobs.ts";
import { unpackJobs } from "./pack-jobs.ts";
import { countRuns, listRuns } from "./list-runs.ts";
import { listFinished } from "./retention.ts";
import { WORKER_READY, type WorkerReply, type WorkerRequest, type WorkerUnopened } from "./worker-client.ts";

// One connection in a thread of its own; requests are answered in their order. `close` ends it.
assert(parentPort !== null, "the store's worker is started as a worker");
const port = parentPort;
// Given by WorkerClient.
const { path, access } = workerData as { readonly path: string; readonly access: "read" | "write" };
const connection = open();
/** A backup takes several turns of the event loop: what comes meanwhile waits for its answer. */
let turn: Promise<void> = Promise.resolve();

port.on("message", (request: WorkerRequest) => {
  turn = turn.then(async () => {
    if (request.kind !== "close") return port.postMessage(await answer(request));
    connection.close();
    port.close();
  });
});

port.postMessage(WORKER_READY);

function open(): Connection {
  try {
    return new Connection(path, access);
  } catch (error) {
    port.postMessage({ unopened: failureOf(error) } satisfies WorkerUnopened);
    throw error;
  }
}

async function answer(request: Exclude<WorkerRequest, { kind: "close" }>): Promise<WorkerReply> {
  const startedAt = performance.now();
  try {
    const value = await carryOut(request);
    return { ok: true, value, durationMs: performance.now() - startedAt };
  } catch (error) {
    return { ok: false, failure: failureOf(error) };
  }
}

function carryOut(request: Exclude<WorkerRequest, { kind: "close" }>): unknown {
  switch (request.kind) {
    case "write":
      return executeJobs(connection, unpackJobs(request.jobs));
    case "checkpoint":
      return checkpoint(connection);
    case "check":
      return checkStore(connection);
    case "list":
      return listRuns(connection, request.query);
    case "count":
      return countRuns(connection, request.tenant);
    case "backup":
      return backupTo(connection, request.file);
    case "finished":
      return listFinished(connection, request.query);
  }
}
