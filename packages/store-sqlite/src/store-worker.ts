import { parentPort, workerData } from "node:worker_threads";
import { Connection } from "./connection.ts";
import { failureOf } from "./failure.ts";
import {
  type RequestOf,
  type StoreThread,
  WORKER_READY,
  type WorkerClosing,
  type WorkerData,
  type WorkerReply,
  type WorkerUnopened,
} from "./worker-client.ts";

// One connection in a thread of its own; requests are answered in their order. `close` ends it.
if (parentPort === null) throw new Error("Invariant broken: the store's worker is started as a worker");
const port = parentPort;
// Given by WorkerClient.
const { path, thread } = workerData as WorkerData;
const connection = open();
const carryOut = await loadWork(thread);
/** A backup takes several turns of the event loop: what comes meanwhile waits for its answer. */
let turn: Promise<void> = Promise.resolve();

port.on("message", (request: RequestOf<StoreThread> | WorkerClosing) => {
  turn = turn.then(async () => {
    if (request.kind !== "close") return port.postMessage(await answer(request));
    connection.close();
    port.close();
  });
});

port.postMessage(WORKER_READY);

function open(): Connection {
  try {
    return new Connection(path, thread === "reader" ? "read" : "write");
  } catch (error) {
    port.postMessage({ unopened: failureOf(error) } satisfies WorkerUnopened);
    throw error;
  }
}

/**
 * Each thread loads only what it does: it starts in the midst of the load that needs it, and takes the processor from it. Measured from the
 * sources: 230 ms of CPU for a thread that loads all of it, 190 ms for the writer and 110 ms for the one that makes checkpoints.
 */
async function loadWork(of: StoreThread): Promise<(connection: Connection, request: never) => unknown> {
  switch (of) {
    case "writer":
      return (await import("./writer-work.ts")).carryOut;
    case "housekeeper":
      return (await import("./housekeeper-work.ts")).carryOut;
    case "reader":
      return (await import("./reader-work.ts")).carryOut;
  }
}

async function answer(request: RequestOf<StoreThread>): Promise<WorkerReply> {
  const startedAt = performance.now();
  try {
    // A client sends a thread only what that thread does.
    const value = await carryOut(connection, request as never);
    return { ok: true, value, durationMs: performance.now() - startedAt };
  } catch (error) {
    return { ok: false, failure: failureOf(error) };
  }
}
