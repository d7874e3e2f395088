import { hash } from "node:crypto";
import type { Outlook } from "@tutti/engine";
import { AppError, isJsonObject, type Json, type JsonObject } from "@tutti/model";

/** What a run would do, before it does it: an artifact that people read and approve, and that a run is bound to. Plain data; unknown parts say so. */
export interface ChangePreview {
  readonly format: typeof PREVIEW_FORMAT;
  /** Random. The run that is started from this preview has an id that follows from it, so it is started once. */
  readonly id: string;
  readonly runId: string;
  readonly createdAt: string;
  /** SHA-256 over everything that is to stay so, hexadecimal: not over times, ids, tokens and estimates. */
  readonly hash: string;
  readonly workflow: { readonly namespace: string; readonly name: string; readonly version: string; readonly digest: string };
  /** Masked. The run is started with what `inputDigest` is of. */
  readonly input: Json;
  readonly inputDigest: string;
  readonly outlook: Omit<Outlook, "facts"> & { readonly facts: readonly PreviewedFact[] };
  readonly blast: Blast;
  readonly estimate: Estimate;
  /** What may differ when the run starts: `facts`, or the path of a task. */
  readonly tolerances: readonly string[];
}

export const PREVIEW_FORMAT = "tutti.change-preview/1";

/**
 * Reads a preview from a file or a peer.
 *
 * @throws AppError `usage`: it is none, or one of another version.
 */
export function readPreview(value: Json): ChangePreview {
  const isObject = (part: Json | undefined): part is JsonObject => isJsonObject(part);
  const { format, id, hash: given, workflow, inputDigest, outlook, tolerances } = isObject(value) ? value : {};
  const refuse = (why: string): AppError =>
    new AppError("usage", `This is no change preview: ${why}.`, { hint: "`tutti workflow preview … --output FILE` writes one." });
  if (format !== PREVIEW_FORMAT) throw refuse(`its format is not ${PREVIEW_FORMAT}`);
  const texts = {
    id,
    hash: given,
    inputDigest,
    ...(isObject(workflow) && { namespace: workflow["namespace"], name: workflow["name"], version: workflow["version"] }),
  };
  for (const [name, text] of Object.entries(texts)) if (typeof text !== "string") throw refuse(`its ${name} is no text`);
  if (!isObject(workflow) || !isObject(outlook)) throw refuse("its workflow or its outlook is missing");
  for (const name of ["calls", "facts", "waits", "locks", "ends"])
    if (!Array.isArray(outlook[name])) throw refuse(`its outlook has no ${name}`);
  if (!Array.isArray(tolerances)) throw refuse("its tolerances are missing");
  // The hash over all of it says whether somebody has changed the rest.
  return value as unknown as ChangePreview;
}

/** Characters of a fact's JSON text that are shown; the digest is of all of it. */
const FACT_SHOWN_MAX = 2000;

export interface PreviewedFact {
  readonly place: string;
  readonly path: string;
  readonly function: string;
  readonly provider?: string;
  /** Cut to an excerpt, a text, when it is long. */
  readonly value: Json;
  readonly digest: string;
}

/** How much is touched. */
export interface Blast {
  readonly creates: number;
  readonly changes: number;
  readonly deletes: number;
  readonly sends: number;
  /** Calls that can't say before what they would touch. */
  readonly unknown: number;
  readonly conditional: number;
  readonly providers: readonly string[];
  readonly locks: readonly string[];
  /** Runs of the workflow that are not at their end. */
  readonly running: readonly string[];
}

/** From the latest completed runs of the workflow; figures are missing when there are none. */
export interface Estimate {
  readonly runs: number;
  readonly p50Ms?: number;
  readonly p95Ms?: number;
  readonly tasks: Readonly<Record<string, { readonly p50Ms: number; readonly p95Ms: number }>>;
}

export function factOf({ value, ...fact }: Outlook["facts"][number]): PreviewedFact {
  const text = canonical(value);
  return { ...fact, value: text.length <= FACT_SHOWN_MAX ? value : `${text.slice(0, FACT_SHOWN_MAX)}…`, digest: digestOf(value) };
}

/** The hash that an approval is bound to. */
export function hashOf({
  workflow,
  inputDigest,
  outlook,
  tolerances,
}: Pick<ChangePreview, "workflow" | "inputDigest" | "outlook" | "tolerances">): string {
  const calls = outlook.calls.map(({ token: _token, ...call }) => call);
  const facts = outlook.facts.map(({ value: _value, ...fact }) => fact);
  return digestOf({ workflow, inputDigest, outlook: { ...outlook, calls, facts, paths: 0 }, tolerances } as unknown as Json);
}

export function digestOf(value: Json): string {
  return hash("sha256", canonical(value), "hex");
}

/** JSON text with members in order. */
export function canonical(value: Json): string {
  return JSON.stringify(value, (_key, part: Json) =>
    isJsonObject(part) ? Object.fromEntries(Object.entries(part).toSorted(([left], [right]) => (left < right ? -1 : 1))) : part,
  );
}

export function blastOf(outlook: Pick<Outlook, "calls" | "locks">, running: readonly string[]): Blast {
  const acting = outlook.calls.filter((call) => call.class !== "read" && !call.isUndo);
  const effects = acting.flatMap((call) => call.effects ?? []);
  const count = (kind: string): number => effects.filter((effect) => effect.kind === kind).length;
  return {
    creates: count("create"),
    changes: count("change"),
    deletes: count("delete"),
    sends: count("send"),
    unknown: acting.filter((call) => call.effects === undefined).length,
    conditional: acting.filter((call) => call.certainty.kind === "conditional").length,
    providers: [...new Set(acting.flatMap((call) => call.provider ?? []))].toSorted(),
    locks: [...new Set(outlook.locks.map(({ key }) => key))],
    running,
  };
}

/** The value at a fraction of all, by nearest rank. */
export function percentile(values: readonly number[], fraction: number): number | undefined {
  const ordered = values.toSorted((left, right) => left - right);
  return ordered[Math.min(ordered.length - 1, Math.max(0, Math.ceil(fraction * ordered.length) - 1))];
}
