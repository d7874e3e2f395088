import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createNodeEnv, resolveDataDirectory } from "@tutti/host";
import type { Json, JsonObject } from "@tutti/model";
import { createRuntime, type Runtime } from "@tutti/runtime";
import { openSqliteStore } from "@tutti/store-sqlite";
import { defineConnector, z } from "@tutti/connector-kit";
import { median } from "./report.ts";

/** How long a preview takes as workflows grow, on a connector that answers at once: what is measured is Tutti. */

const TASKS = [10, 100, 1_000, 10_000];
/** Of the workflows with decisions on unknown answers: each doubles the ways, until combinations are left out. */
const DECISIONS = 20;

const SHELF = defineConnector({
  name: "shelf",
  version: "1.0.0",
  functions: {
    "thing.make:1": {
      title: "Makes a thing, with a serial number that nobody knows before",
      input: z.strictObject({ name: z.string() }),
      output: z.custom<Json>(),
      effect: "idempotent",
      requestTimeoutMs: 0,
      settleMs: 0,
      run: async () => ({ serial: 1 }),
      preview: async ({ name = null }) => ({
        effects: [{ kind: "create", resource: "thing", name: JSON.stringify(name), isReversible: false }],
        output: { name },
      }),
    },
  },
});

export interface PreviewFigure {
  readonly tasks: number;
  readonly decisions: number;
  readonly paths: number;
  readonly ms: number;
  readonly rounds: readonly number[];
}

export async function measurePreview(rounds: number): Promise<readonly PreviewFigure[]> {
  const directory = mkdtempSync(join(tmpdir(), "tutti-bench-"));
  const env = createNodeEnv({
    directory: resolveDataDirectory({ flag: directory, environment: {}, currentDirectory: "/" }),
    environment: {},
    report: (message, cause) => process.stderr.write(`${message}: ${String(cause)}\n`),
  });
  const store = openSqliteStore({ directory });
  await store.start();
  const runtime = createRuntime({ store, connectors: [SHELF], env, drive: "all", version: "bench" });
  await runtime.start();
  try {
    const works = TASKS.flatMap((tasks) => [0, DECISIONS].map((decisions) => ({ tasks, decisions })));
    const times = works.map((): { ms: number; paths: number }[] => []);
    for (let round = 0; round <= rounds; round++)
      for (const [index, work] of works.entries()) {
        const taken = await once(runtime, work);
        // What V8 compiles in the first round is not what a preview costs.
        if (round > 0) times[index]?.push(taken);
      }
    return works.map((work, index) => {
      const taken = times[index] ?? [];
      return { ...work, paths: taken[0]?.paths ?? 0, ms: median(taken.map(({ ms }) => ms)), rounds: taken.map(({ ms }) => ms) };
    });
  } finally {
    await runtime.stop();
    await store.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function once(runtime: Runtime, { tasks, decisions }: { tasks: number; decisions: number }): Promise<{ ms: number; paths: number }> {
  const every = Math.max(1, Math.floor(tasks / Math.max(1, decisions)));
  const list = Array.from({ length: tasks }, (_, index): JsonObject => {
    const isDecided = decisions > 0 && index > 0 && index % every === 0;
    return {
      [`t${index}`]: {
        ...(isDecided && { if: `\${ .serial == ${index} }` }),
        call: "thing.make:1@shelf",
        with: { name: `\${ "task-${index}" }` },
      },
    };
  });
  const document = { dsl: "1.0.3", namespace: "bench", name: `preview-${tasks}-${decisions}`, version: "1.0.0" };
  const text = JSON.stringify({ document, do: list });
  await runtime.publish({ text });
  const { namespace, name, version } = document;
  const before = performance.now();
  const { outlook } = await runtime.previewRun({ workflow: { namespace, name, version }, input: {} });
  return { ms: performance.now() - before, paths: outlook.paths };
}

export function previewTable(figures: readonly PreviewFigure[]): readonly Record<string, string | number>[] {
  return figures.map(({ tasks, decisions, paths, ms, rounds }) => ({
    tasks,
    decisions,
    ways: paths,
    ms: Number(ms.toFixed(1)),
    range: `${Math.min(...rounds).toFixed(1)} to ${Math.max(...rounds).toFixed(1)}`,
  }));
}
