import { lintDocument, parseDocument } from "@tutti/definition";
import { randomDocument } from "@tutti/engine/random-document";
import { isJsonObject, type Json, type JsonObject } from "@tutti/model";
import type { FunctionTable } from "@tutti/runtime";
import { createRandom, type Random } from "@tutti/testkit";
import fc from "fast-check";
import { predict } from "./oracle.ts";

export interface PlannedRun {
  readonly atMs: number;
  readonly workflow: string;
  readonly startKey: string;
  readonly input: Json;
  /** `strict`: nobody interferes and nothing is refused, so it must end as the oracle says. `poison`: loading it ends the process. */
  readonly kind: "strict" | "chaos" | "poison";
}

export interface PlannedEvent {
  readonly atMs: number;
  readonly id: string;
  readonly type: string;
}

/** What happens to an undisturbed platform in one simulation. */
export interface Workload {
  readonly documents: readonly JsonObject[];
  readonly runs: readonly PlannedRun[];
  readonly events: readonly PlannedEvent[];
  /** How much there is before anything is left out. */
  readonly planned: { readonly runs: number; readonly events: number; readonly tasks: number };
}

/** What shrinking leaves out. */
export interface Reductions {
  /** Indexes of runs that are started; all without it. */
  readonly runs?: readonly number[];
  /** Tasks left out of the documents, by their number in the order of the text; later ones count without those left out before. */
  readonly drop?: readonly number[];
  readonly events?: number;
}

const CHILD = { namespace: "n", name: "child", version: "1.0.0" };
const DOCUMENTS_MAX = 3;
/** Documents of each name. */
const POOL = 60;
const POOLED = new Map<string, JsonObject>();
const RUNS_MIN = 40;
const RUNS_MAX = 240;
const EVENTS_MAX = 40;
/** Runs and events come within this time. */
const ARRIVAL_MS = 60_000;
const TRIES_MAX = 1000;

/** Draws documents from the generator of the engine's property test, and what is done with them. */
export function planWorkload(random: Random, functions: FunctionTable, reductions: Reductions = {}): Workload {
  const choice = random.fork("documents");
  const child = pooled("child", choice.integer(1, POOL), functions);
  const count = choice.integer(1, DOCUMENTS_MAX);
  const drawn = Array.from({ length: count }, (_, index) => pooled(`w${index}`, choice.integer(1, POOL), functions));
  const all = [...drawn, child];
  const documents = (reductions.drop ?? []).reduce<readonly JsonObject[]>((left, number) => dropTask(left, number) ?? left, all);
  if (documents !== all && !documents.every((document) => isAcceptable(document, functions)))
    throw new Error("What is left is no workflow any more.");
  const plans = random.fork("runs");
  const runs = Array.from({ length: plans.integer(RUNS_MIN, RUNS_MAX) }, (_, index): PlannedRun => {
    const chance = plans.next();
    return {
      atMs: plans.next() * ARRIVAL_MS,
      workflow: `w${plans.integer(0, count - 1)}`,
      startKey: `run ${index}`,
      input: { n: plans.integer(0, 3) },
      kind: chance < 0.5 ? "strict" : chance < 0.97 ? "chaos" : "poison",
    };
  });
  const calls = random.fork("events");
  const events = Array.from({ length: calls.integer(0, EVENTS_MAX) }, (_, index): PlannedEvent => ({
    atMs: calls.next() * ARRIVAL_MS,
    id: `event ${index}`,
    type: calls.pick(["a", "b"]),
  }));
  return {
    documents,
    runs: runs.filter((_, index) => reductions.runs?.includes(index) ?? true),
    events: events.slice(0, reductions.events ?? events.length),
    planned: { runs: runs.length, events: events.length, tasks: countTasks(documents) },
  };
}

function countTasks(documents: readonly JsonObject[]): number {
  let count = 0;
  const walk = (value: Json): void => {
    if (typeof value !== "object" || value === null) return;
    if (Array.isArray(value) && isTaskList(value as readonly Json[])) count += value.length;
    for (const member of Object.values(value)) walk(member as Json);
  };
  documents.forEach(walk);
  return count;
}

/** The documents without the task of this number; undefined when there is none, or when its list would be empty. */
function dropTask(documents: readonly JsonObject[], number: number): readonly JsonObject[] | undefined {
  let left = number;
  let isDropped = false;
  const walk = (value: Json): Json => {
    if (isDropped || typeof value !== "object" || value === null) return value;
    if (Array.isArray(value)) {
      const items = value as readonly Json[];
      if (!isTaskList(items)) return items.map(walk);
      const kept: Json[] = [];
      for (const item of items) {
        if (!isDropped && left-- === 0 && items.length > 1) isDropped = true;
        else kept.push(isDropped ? item : walk(item));
      }
      return kept;
    }
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, walk(member)]));
  };
  const reduced = documents.map((document) => walk(document) as JsonObject);
  return isDropped ? reduced : undefined;
}

/** Lists of tasks are lists of objects with one member each, which is a task. */
function isTaskList(items: readonly Json[]): boolean {
  const kinds = ["call", "do", "for", "fork", "listen", "emit", "raise", "run", "set", "switch", "try", "wait"];
  return (
    items.length > 0 &&
    items.every((item) => {
      if (!isJsonObject(item)) return false;
      const [body, ...more] = Object.values(item);
      return more.length === 0 && body !== undefined && isJsonObject(body) && kinds.some((kind) => kind in body);
    })
  );
}

/**
 * The document of this name and number. They come from a pool: reading and checking one takes longer than a hundred steps. Of two numbers one
 * has a document that the oracle can judge.
 */
function pooled(name: string, number: number, functions: FunctionTable): JsonObject {
  const isJudged = number % 2 === 0;
  const key = `${name}/${number}`;
  const known = POOLED.get(key);
  if (known !== undefined) return known;
  const random = createRandom(key);
  for (let attempt = 0; attempt < TRIES_MAX; attempt += 1) {
    const [drawn] = fc.sample(fc.noBias(randomDocument), { numRuns: 1, seed: random.integer(0, 2 ** 31 - 1) });
    const head = drawn?.["document"];
    if (drawn === undefined || head === undefined || !isJsonObject(head)) continue;
    // A workflow that runs its own children without end is none of these.
    if (name === CHILD.name && JSON.stringify(drawn).includes('"child"')) continue;
    const document = { ...drawn, document: { ...head, ...(name === CHILD.name ? CHILD : { name }) } };
    // Without the children, which are other ones in other seeds.
    if (isJudged && predict(document, {}, new Map()).kind === "open") continue;
    if (!isAcceptable(document, functions)) continue;
    POOLED.set(key, document);
    return document;
  }
  throw new Error("The generator gives no document that the linter takes.");
}

function isAcceptable(document: JsonObject, functions: FunctionTable): boolean {
  const findings = lintDocument(parseDocument(JSON.stringify(document)), { functions: functions.interfaces() });
  return !findings.some((finding) => finding.severity === "error");
}
