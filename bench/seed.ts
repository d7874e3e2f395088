import { compileWorkflow, parseDocument } from "@tutti/definition";
import { createRun, type EngineContext, serializeRecord, summarize } from "@tutti/engine";
import { assert, type Json, PAYLOAD_INLINE_BYTES } from "@tutti/model";
import { payloadHash, encodeRecord, type RunCommit, type RunRowChange, type Store } from "@tutti/store";

/** Runs per commit while a store is filled. */
const BATCH_RUNS = 2000;

export interface SeedWorkflow {
  readonly context: EngineContext;
  readonly namespace: string;
  readonly name: string;
  readonly version: string;
  readonly digest: string;
}

export interface SeedRun {
  readonly workflow: SeedWorkflow;
  readonly runId: string;
  readonly startedAtMs: number;
  readonly input: Json;
  readonly labels: Readonly<Record<string, string>>;
  readonly tenant?: string;
  /** What lists are to see instead of what the run's own state says. */
  readonly row?: Partial<RunRowChange>;
}

/** Publishes a document that calls no function. */
export async function seedWorkflow(store: Store, text: string): Promise<SeedWorkflow> {
  const document = parseDocument(text).json;
  assert(document !== undefined, "the benchmark's document is one");
  const program = compileWorkflow(document);
  const { namespace, name, version } = program;
  const digest = payloadHash(text);
  await store.putDefinition({ namespace, name, version, digest, text, baseDirectory: undefined, publishedAtMs: Date.now() });
  return { context: { program, functions: { describe: () => undefined }, runtime: {} }, namespace, name, version, digest };
}

/** Fills a store with runs as the engine makes them: history and row of each are what a real start leaves behind. */
export async function seedRuns(store: Store, count: number, make: (index: number) => SeedRun): Promise<void> {
  for (let from = 0; from < count; from += BATCH_RUNS) {
    const runs: RunCommit[] = [];
    for (let index = from; index < Math.min(count, from + BATCH_RUNS); index++) runs.push(commitOf(make(index)));
    const { verdicts } = await store.commit({ runs });
    assert(
      verdicts.every(({ verdict }) => verdict === "committed"),
      "the store takes the runs",
    );
  }
}

function commitOf({ workflow, runId, startedAtMs, input, labels, tenant = "default", row }: SeedRun): RunCommit {
  const { context, namespace, name, version, digest } = workflow;
  const { state, records, commands } = createRun(
    {
      type: "run-started",
      at: startedAtMs,
      runId,
      tenant,
      workflow: { namespace, name, version, digest },
      input,
      labels,
      actor: "bench",
      flags: [],
    },
    context,
  );
  const summary = summarize(state);
  return {
    runId,
    expectedSeq: 0,
    records: records.map((record) => encodeRecord(record, PAYLOAD_INLINE_BYTES, serializeRecord(record))),
    row: {
      tenant,
      status: summary.status,
      namespace,
      name,
      version,
      digest,
      labels,
      parentRunId: undefined,
      startedAtMs,
      updatedAtMs: startedAtMs,
      endedAtMs: summary.endedAtMs,
      wakeAtMs: summary.wakeAtMs,
      isOutstanding: summary.isOutstanding,
      inDoubt: summary.inDoubt,
      errorType: summary.errorType,
      reason: summary.reason,
      ...row,
    },
    snapshot: undefined,
    events: [],
    subscribe: commands.flatMap((command) =>
      command.type === "subscribe"
        ? command.filters.map(({ index, ...filter }) => ({ tenant, task: command.task, filter: index, ...filter }))
        : [],
    ),
    unsubscribe: [],
    acquire: [],
    release: [],
    send: [],
    take: [],
  };
}

/** Run ids in the form of real ones: the same for the same number. */
export function seedRunId(index: number): string {
  return `run_${payloadHash(String(index)).slice(0, 16)}`;
}
