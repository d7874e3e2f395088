import { parentPort, workerData } from "node:worker_threads";
import { assert } from "@tutti/model";
import { checkStore } from "./check.ts";
import { checkpoint } from "./checkpoint.ts";
import { Connection } from "./connection.ts";
import { failureOf } from "./errors.ts";
import { executeJobs } from "./execute-jobs.ts";
import { unpackJobs } from "./pack-jobs.ts";
import { listFinished } from "./retention.ts";
import { WORKER_READY, type WorkerReply, type WorkerRequest } from "./worker-client.ts";

// One connection in a thread of its own; requests are answered in their order. `close` ends it.
assert(parentPort !== null, "the store's worker is started as a worker");
const port = parentPort;
// Given by WorkerClient.
const connection = new Connection((workerData as { readonly path: string }).path);

port.on("message", (request: WorkerRequest) => {
  if (request.kind === "close") {
    connection.close();
    port.close();
    return;
  }
  port.postMessage(answer(request));
});

port.postMessage(WORKER_READY);

function answer(request: Exclude<WorkerRequest, { kind: "close" }>): WorkerReply {
  const startedAt = performance.now();
  try {
    const value = carryOut(request);
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
    case "finished":
      return listFinished(connection, request.query);
  }
}
