import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { ConformanceResult } from "./result.ts";

/** As many as CI has processors; each takes every second case. */
const PROCESSES = 2;

/** Runs a script that takes SHARD, SHARDS and the words, in processes of its own, and puts together what they write. */
export async function inShards(script: string, words: readonly string[]): Promise<ConformanceResult> {
  const parts = await Promise.all(Array.from({ length: PROCESSES }, (_, index) => runShard(script, index, words)));
  return {
    passed: parts.reduce((sum, part) => sum + part.passed, 0),
    total: parts.reduce((sum, part) => sum + part.total, 0),
    failures: parts.flatMap((part) => part.failures),
    notes: parts.flatMap((part) => part.notes),
  };
}

/** The documents are also judged by the official schema with ajv, which makes code; our processes forbid that, so the cases have their own. */
async function runShard(script: string, index: number, words: readonly string[]): Promise<ConformanceResult> {
  const file = fileURLToPath(new URL(script, import.meta.url));
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", file, String(index), String(PROCESSES), ...words], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, NODE_OPTIONS: "" },
  });
  const chunks: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (code !== 0) throw new Error(`${script} ended with code ${code}`);
  // Written by our own script, one process further.
  return JSON.parse(Buffer.concat(chunks).toString("utf8")) as ConformanceResult;
}
