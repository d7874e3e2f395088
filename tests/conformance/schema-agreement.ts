import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { specificationDir } from "./material.ts";
import { type ConformanceResult, skipped } from "./result.ts";

export interface AgreementOptions {
  readonly mutations: number;
  readonly seed: number;
}

/** The goal of the project is 5,000; more cost 2 ms each. */
export const MUTATIONS_DEFAULT = 6000;

/**
 * Our schema accepts and refuses what the official one does, on the examples, on our own corpus, and on seeded mutations of both.
 *
 * The official schema is judged by ajv, which makes code from it. Our processes forbid that, so the comparison has one of its own.
 */
export async function runSchemaAgreement(dir: string, options: AgreementOptions): Promise<ConformanceResult> {
  const specification = specificationDir(dir);
  if (specification === undefined) return skipped(`there is no ${dir}/serverless-workflow (set TUTTI_CONFORMANCE_DIR)`);
  const script = fileURLToPath(new URL("./schema-agreement-process.ts", import.meta.url));
  const child = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", script, specification, String(options.mutations), String(options.seed)],
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
  if (code !== 0) throw new Error(`the comparison of schemas ended with code ${code}`);
  // Written by our own script, one process further.
  return JSON.parse(Buffer.concat(chunks).toString("utf8")) as ConformanceResult;
}
