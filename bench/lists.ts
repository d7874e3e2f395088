import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RUN_STATUSES, type RunPage, type RunQuery } from "@tutti/store";
import { openSqliteStore, type SqliteStore } from "@tutti/store-sqlite";
import { median } from "./report.ts";
import { seedRunId, seedRuns, type SeedWorkflow, seedWorkflow } from "./seed.ts";
import { percentile } from "./work.ts";

/** Row 8 of the goals: lists of very many runs, by each criterion and by any two together. */

const NAMES = 20;
const CUSTOMERS = 5000;
const ERROR_TYPES = ["timeout", "communication", "validation", "runtime"];
/** One run in so many is faulted, and one in as many waits: most of a large store is history. */
const RARE = 50;
/** One run in so many belongs to the smaller tenant. No divisor of the other figures, so that it has runs of every kind. */
const BRANCH_EVERY = 7;
const QUERIES = 60;
const PAGE = 50;
const SPAN_MS = 90 * 86_400_000;

export interface ListFigure {
  readonly criteria: string;
  readonly rounds: readonly ListRound[];
}
interface ListRound {
  readonly queries: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly maxMs: number;
}
type Criterion = Partial<Omit<RunQuery, "tenant" | "limit">>;

export async function measureLists(runs: number, rounds: number): Promise<readonly ListFigure[]> {
  const directory = mkdtempSync(join(tmpdir(), "tutti-bench-"));
  const store = openSqliteStore({ directory });
  try {
    await store.start();
    const nowMs = Date.now();
    await seedLists(store, runs, nowMs);
    const measured: (readonly (readonly [string, ListRound])[])[] = [];
    for (let round = 0; round < rounds; round++) measured.push(await timeLists(store, nowMs));
    return (measured[0] ?? []).map(([criteria], place) => ({
      criteria,
      rounds: measured.flatMap((figures) => figures.slice(place, place + 1).map(([, figure]) => figure)),
    }));
  } finally {
    await store.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Runs of two tenants in the order of their starts, as a store gets them; most have ended well. */
async function seedLists(store: SqliteStore, runs: number, nowMs: number): Promise<void> {
  const workflows: SeedWorkflow[] = [];
  for (let index = 0; index < NAMES; index++)
    workflows.push(
      await seedWorkflow(
        store,
        `document: { dsl: 1.0.3, namespace: team-${index % 4}, name: flow-${index}, version: 1.0.0 }\ndo:\n  - a: { set: { x: 1 } }\n`,
      ),
    );
  await seedRuns(store, runs, (index) => {
    const isFaulted = index % RARE === 0;
    const isWaiting = index % RARE === 1;
    return {
      workflow: workflows[index % NAMES] as SeedWorkflow,
      runId: seedRunId(index),
      startedAtMs: nowMs - ((runs - index) / runs) * SPAN_MS,
      input: {},
      tenant: index % BRANCH_EVERY === 0 ? "branch" : "default",
      labels: { customer: `c${index % CUSTOMERS}`, stage: index % 3 === 0 ? "prod" : "test", site: index % 4 === 0 ? "north" : "south" },
      ...(isFaulted && { row: { status: "faulted", errorType: errorType(index / RARE), endedAtMs: undefined } as const }),
      ...(isWaiting && { row: { status: "waiting", wakeAtMs: nowMs + SPAN_MS, endedAtMs: undefined } as const }),
    };
  });
}

/** Some of the combinations meet in no run: these are the hard ones, since nothing ends the search early. */
async function timeLists(store: SqliteStore, nowMs: number): Promise<readonly (readonly [string, ListRound])[]> {
  const criteria: Readonly<Record<string, (index: number) => Criterion>> = {
    status: (index) => ({ status: [RUN_STATUSES[index % RUN_STATUSES.length] ?? "running"] }),
    workflow: (index) => ({ namespace: `team-${index % 4}`, name: `flow-${index % NAMES}` }),
    namespace: (index) => ({ namespace: `team-${index % 4}` }),
    "start range": (index) => ({
      startedAfterMs: nowMs - SPAN_MS * ((index % 10) / 10) - SPAN_MS / 20,
      startedBeforeMs: nowMs - SPAN_MS * ((index % 10) / 10),
    }),
    "rare label": (index) => ({ label: { key: "customer", value: `c${(index * 37) % CUSTOMERS}` } }),
    "common label": (index) => ({ label: { key: "stage", value: index % 2 === 0 ? "prod" : "test" } }),
    "error type": (index) => ({ errorType: errorType(index) }),
  };
  const list = (filter: Criterion, index: number, cursor?: string): Promise<RunPage> =>
    store.listRuns({ tenant: index % 3 === 2 ? "branch" : "default", limit: PAGE, ...filter, ...(cursor !== undefined && { cursor }) });
  const figures = [await timed("tenant", (index, cursor) => list({}, index, cursor))];
  const names = Object.keys(criteria);
  for (const [position, first] of names.entries()) {
    const make = criteria[first] as (index: number) => Criterion;
    figures.push(await timed(first, (index, cursor) => list(make(index), index, cursor)));
    for (const second of names.slice(position + 1)) {
      const also = criteria[second] as (index: number) => Criterion;
      // Two conditions on the same part of a run are one criterion.
      if (first.includes("label") && second.includes("label")) continue;
      figures.push(await timed(`${first} + ${second}`, (index, cursor) => list({ ...make(index), ...also(index * 3 + 1) }, index, cursor)));
    }
  }
  // A quarter of all runs each, and no run is in both: the worst that two filters can do.
  figures.push(
    await timed("namespace + common label, never together", (index, cursor) =>
      list({ namespace: "team-1", label: { key: "site", value: "north" } }, index, cursor),
    ),
  );
  figures.push(await timed("id prefix", (index) => store.findRunIds(seedRunId(index * 101).slice(0, 10), PAGE)));
  return figures;
}

function errorType(index: number): string {
  return `https://open-workflow-specification.org/spec/1.0.0/errors/${ERROR_TYPES[index % ERROR_TYPES.length] ?? ""}`;
}

/** The first page of each query, and the next one where there is one. */
async function timed(
  criteria: string,
  query: (index: number, cursor?: string) => Promise<RunPage | readonly string[]>,
): Promise<readonly [string, ListRound]> {
  const times: number[] = [];
  for (let index = 0; index < QUERIES; index++) {
    let cursor: string | undefined;
    for (let page = 0; page < 2; page++) {
      const startedAt = performance.now();
      const answer = await query(index, cursor);
      times.push(performance.now() - startedAt);
      cursor = "next" in answer ? answer.next : undefined;
      if (cursor === undefined) break;
    }
  }
  return [criteria, { queries: times.length, p50Ms: percentile(times, 50), p95Ms: percentile(times, 95), maxMs: percentile(times, 100) }];
}

/** Medians of the rounds. */
export function listsTable(figures: readonly ListFigure[]): readonly Record<string, string | number>[] {
  return figures.map(({ criteria, rounds }) => {
    const of = (pick: (round: ListRound) => number): number => Number(median(rounds.map(pick)).toFixed(2));
    const p95Ms = of((one) => one.p95Ms);
    return {
      criteria,
      "p50 ms": of((one) => one.p50Ms),
      "p95 ms": p95Ms,
      "most ms": of((one) => one.maxMs),
      goal: p95Ms <= 50 ? "≤ 50" : "≤ 50, MISSED",
    };
  });
}
