// BullMQ on a Redis that syncs every append. A run is a chain of jobs, each of which keeps its result and adds the next; a wide run is a parent
// with children. A queue keeps no history and replays nothing: it is here as the fastest thing that is durable at all.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FlowProducer, Queue, Worker } from "bullmq";
import { measure } from "../../work.ts";

const work = JSON.parse(process.argv[2] ?? "{}");
const PORT = 26379;
const WORKER_CONCURRENCY = 100;

if (spawnSync("redis-server", ["--version"]).status !== 0) throw new Error("redis-server is not installed (Debian: redis-server)");
const directory = mkdtempSync(join(tmpdir(), "tutti-bench-redis-"));
const options = ["--port", PORT, "--bind", "127.0.0.1", "--dir", directory, "--appendonly", "yes", "--appendfsync", "always", "--save", ""];
const redis = spawn("redis-server", options.map(String), { stdio: "ignore" });
const connection = { host: "127.0.0.1", port: PORT, maxRetriesPerRequest: null };

try {
  const queue = new Queue("steps", { connection });
  const flows = new FlowProducer({ connection });
  const waiting = new Map();
  const worker = new Worker("steps", async (job) => job.data.step + 1, { connection, concurrency: WORKER_CONCURRENCY });
  worker.on("completed", (job) => {
    const { key, step, isChild } = job.data;
    if (isChild) return;
    if (step + 1 < work.steps) return void queue.add("step", { key, step: step + 1 });
    waiting.get(key)?.();
    waiting.delete(key);
  });
  await worker.waitUntilReady();
  const figures = await measure(
    {
      sequence: (key) => ended(waiting, key, () => queue.add("step", { key, step: 0 })),
      fanOut: (width, key) =>
        ended(waiting, key, () => {
          const children = Array.from({ length: width }, (_, step) => ({
            name: "child",
            queueName: "steps",
            data: { isChild: true, step },
          }));
          return flows.add({ name: "parent", queueName: "steps", data: { key, step: work.steps }, children });
        }),
    },
    work,
  );
  console.log(`RESULT ${JSON.stringify(figures)}`);
  await Promise.all([worker.close(true), queue.close(), flows.close()]);
} finally {
  if (redis.kill("SIGKILL")) await once(redis, "exit");
  rmSync(directory, { recursive: true, force: true });
}

async function ended(waiting, key, start) {
  const { promise, resolve } = Promise.withResolvers();
  waiting.set(key, resolve);
  await start();
  await promise;
}
