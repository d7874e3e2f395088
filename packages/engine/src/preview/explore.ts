import type { EffectClass, Json, JsonObject, TaskError } from "@tutti/model";
import { unknownIn } from "@tutti/model";
import type { Undecided } from "./foresight.ts";
import { type Decision, type ForeseenEffect, type Walked, type WalkedCall, walk, type WalkStart, type World } from "./walk.ts";

/**
 * All ways through a workflow, put together: what happens on every path is certain, what happens on some is conditional, with the conditions that all
 * paths to it have in common. Every way out of every decision is walked at least once; all combinations as long as that is not too much.
 */

/** Paths walked at most. */
export const PREVIEW_PATHS_MAX = 256;
/** Combinations of decisions are walked until so many steps were taken; every way out of each decision also after that. */
const COMBINATION_STEPS_MAX = 50_000;
/** No further path is begun after so many steps. */
const STEPS_MAX = 2_000_000;

/** What a run of this workflow with this input would do. Plain data; unknown parts say what they depend on. */
export interface Outlook {
  /** In the order in which they would happen, on the path on which most of them do. Without calls that only read and were carried out: those are facts. */
  readonly calls: readonly ForeseenCall[];
  /** What was read to know that. */
  readonly facts: readonly Fact[];
  /** The waits for events and people. */
  readonly waits: readonly { readonly path: string; readonly certainty: Certainty }[];
  readonly locks: readonly { readonly path: string; readonly key: string; readonly limit: number }[];
  readonly ends: readonly { readonly status: Walked["end"]["status"]; readonly error?: TaskError; readonly when: readonly Condition[] }[];
  /** The first call, of those that are certain, that nothing undoes. */
  readonly pointOfNoReturn: string | undefined;
  /** What a back-out of the completed run would undo, in order, and what would stay. */
  readonly backOut: { readonly undo: readonly string[]; readonly stays: readonly string[] };
  readonly decisions: readonly Undecided[];
  readonly paths: number;
  /** False when there are more combinations of decisions than were walked, or rounds that nobody can count. */
  readonly isComplete: boolean;
}

export interface ForeseenCall {
  /** Runs, tasks, visits and iterations on the way there: the same at the run. */
  readonly place: string;
  readonly path: string;
  /** What the run's attempts will carry; empty for an event that is emitted. */
  readonly token: string;
  readonly function: string;
  readonly provider?: string;
  readonly class: EffectClass;
  readonly with: JsonObject;
  /** Undefined: it can't be said before what it would touch. Empty: nothing would change. */
  readonly effects: readonly ForeseenEffect[] | undefined;
  readonly reversible: "yes" | "no";
  readonly certainty: Certainty;
  /** It would undo another call. */
  readonly isUndo: boolean;
  /** Why what it would touch can't be said. */
  readonly reason?: string;
}

export interface Fact {
  readonly place: string;
  readonly path: string;
  readonly function: string;
  readonly provider?: string;
  readonly value: Json;
}

export type Certainty = { readonly kind: "certain" } | { readonly kind: "conditional"; readonly when: readonly Condition[] };

/** A decision on the way to a call, and how it has to fall. */
export interface Condition extends Omit<Undecided, "name"> {
  readonly path: string;
  readonly name?: string;
  readonly holds: boolean;
}

/** Walks the paths and puts them together. */
export async function explore(start: WalkStart, world: World): Promise<Outlook> {
  const walked: Walked[] = [];
  const seen = new Set<string>();
  // Ways that take a decision as none did before come first; combinations of known ones follow as far as there is time.
  const fresh: boolean[][] = [[]];
  const combinations: boolean[][] = [];
  let steps = 0;
  let goesRound = false;
  for (;;) {
    const way = fresh.shift() ?? (steps <= COMBINATION_STEPS_MAX ? combinations.shift() : undefined);
    if (way === undefined || walked.length >= PREVIEW_PATHS_MAX || steps > STEPS_MAX) {
      if (way !== undefined) combinations.unshift(way);
      break;
    }
    const path = await walk(start, world, way);
    walked.push(path);
    steps += path.steps;
    for (const { place, holds } of path.decisions) seen.add(`${place}=${holds}`);
    for (let at = way.length; at < path.decisions.length; at++) {
      const { place, holds, isAgain } = path.decisions[at] as Decision;
      // Rounds have no end; one shows what they do.
      if (isAgain) {
        goesRound = true;
        continue;
      }
      const other = [...path.decisions.slice(0, at).map((one) => one.holds), !holds];
      const key = `${place}=${!holds}`;
      (seen.has(key) ? combinations : fresh).push(other);
      seen.add(key);
    }
  }
  return outlookOf(walked, fresh.length + combinations.length === 0 && !goesRound);
}

function outlookOf(walked: readonly Walked[], isComplete: boolean): Outlook {
  const merged = mergeCalls(walked);
  const calls = merged.filter(({ foreseen }) => !foreseen.wasRead).map((call) => foreseenCall(call, walked));
  const facts = merged.flatMap(({ place, path, function: name, foreseen }) =>
    foreseen.wasRead ? [factOf(place, path, name, foreseen)] : [],
  );
  const acting = calls.filter((call) => call.class !== "read" && call.effects?.length !== 0 && !call.isUndo);
  const longest = walked.reduce((best, one) => (one.calls.length > best.calls.length ? one : best), walked[0] as Walked);
  const last = longest.calls.filter((call) => call.effect !== "read" && !call.isUndo && call.foreseen.effects?.length !== 0);
  return {
    calls,
    facts,
    waits: uniqueBy(
      walked.flatMap((one) => one.waits),
      ({ place }) => place,
    ).map(({ place, path }) => ({
      path,
      certainty: certaintyOf(walked, (one) => one.waits.some((wait) => wait.place === place)),
    })),
    locks: uniqueBy(
      walked.flatMap((one) => one.locks),
      ({ path, key }) => `${path} ${key}`,
    ),
    ends: endsOf(walked),
    pointOfNoReturn: acting.find(({ reversible, certainty }) => reversible === "no" && certainty.kind === "certain")?.path,
    backOut: {
      undo: last
        .filter(({ isUndone }) => isUndone)
        .map(({ path }) => path)
        .toReversed(),
      stays: last.filter(({ isUndone }) => !isUndone).map(({ path }) => path),
    },
    decisions: uniqueBy(
      walked.flatMap((one) => one.decisions),
      ({ path, of, name }) => `${path} ${of} ${name ?? ""}`,
    ).map(decisionOf),
    paths: walked.length,
    isComplete,
  };
}

/** One entry per call. What a later path adds comes before what both have next, so that alternatives stand one after the other. */
function mergeCalls(walked: readonly Walked[]): readonly WalkedCall[] {
  let order: readonly WalkedCall[] = [];
  const known = new Map<string, number>();
  for (const { calls } of walked) {
    if (calls.every(({ place }) => known.has(place))) continue;
    const before = new Map<number, WalkedCall[]>();
    let added: WalkedCall[] = [];
    for (const call of calls) {
      const at = known.get(call.place);
      if (at === undefined) added.push(call);
      else if (added.length > 0) {
        before.set(at, [...(before.get(at) ?? []), ...added]);
        added = [];
      }
    }
    order = [...order.flatMap((call, at) => [...(before.get(at) ?? []), call]), ...added];
    known.clear();
    order.forEach(({ place }, at) => known.set(place, at));
  }
  return order;
}

function foreseenCall(call: WalkedCall, walked: readonly Walked[]): ForeseenCall {
  const { place, path, foreseen, effect, isUndo } = call;
  const { input, provider, effects, reason } = foreseen;
  const others = walked.flatMap((one) => placesOf(one).get(place) ?? []);
  const isSame = others.every(
    ({ foreseen: other }) => other === foreseen || JSON.stringify([other.input, other.effects]) === JSON.stringify([input, effects]),
  );
  return {
    place,
    path,
    token: call.token,
    function: call.function,
    ...(provider !== undefined && { provider }),
    class: effect,
    with: input,
    effects: isSame ? effects : undefined,
    reversible: others.every(({ isUndone }) => isUndone) ? "yes" : "no",
    certainty: certaintyOf(walked, (one) => placesOf(one).has(place)),
    isUndo,
    ...reasonOf(isSame, input, reason),
  };
}

function reasonOf(isSame: boolean, input: JsonObject, reason: string | undefined): { reason?: string } {
  if (!isSame) return { reason: "it does different things on different paths" };
  const unknown = unknownIn(input);
  if (unknown !== undefined) return { reason: `depends on ${unknown}` };
  return reason === undefined ? {} : { reason };
}

function factOf(place: string, path: string, name: string, { provider, outcome }: WalkedCall["foreseen"]): Fact {
  // An error that the target answered with is a fact as well: nothing is there.
  const value: Json = outcome.kind === "completed" ? outcome.output : { error: { ...outcome.error } as unknown as Json };
  return { place, path, function: name, ...(provider !== undefined && { provider }), value };
}

function endsOf(walked: readonly Walked[]): Outlook["ends"] {
  const ways = uniqueBy(
    walked.map(({ end }) => end),
    endKey,
  );
  return ways.map((end) => {
    const certainty = certaintyOf(walked, (one) => endKey(one.end) === endKey(end));
    return { ...end, when: certainty.kind === "certain" ? [] : certainty.when };
  });
}

function endKey(end: Walked["end"]): string {
  return end.status === "faulted" ? JSON.stringify([end.error.type, end.error.title, end.error.instance]) : end.status;
}

const CERTAIN: Certainty = { kind: "certain" };

/** Certain when it is so on all paths; else the decisions that fall one way on all paths on which it is so, and otherwise on some where it is not. */
function certaintyOf(walked: readonly Walked[], isSo: (path: Walked) => boolean): Certainty {
  const yes = walked.filter(isSo);
  if (yes.length === walked.length) return CERTAIN;
  const no = walked.filter((path) => !isSo(path)).map(outcomes);
  const [first, ...others] = yes;
  const alike = others.map(outcomes);
  const when = (first?.decisions ?? []).filter(
    ({ place, holds }) => alike.every((one) => one.get(place) === holds) && no.some((one) => one.has(place) && one.get(place) !== holds),
  );
  return { kind: "conditional", when: when.map((decision) => ({ ...decisionOf(decision), path: decision.path, holds: decision.holds })) };
}

const cachedPlaces = new WeakMap<Walked, ReadonlyMap<string, WalkedCall>>();

function placesOf(path: Walked): ReadonlyMap<string, WalkedCall> {
  const known = cachedPlaces.get(path);
  if (known !== undefined) return known;
  const made = new Map(path.calls.map((call) => [call.place, call]));
  cachedPlaces.set(path, made);
  return made;
}

const cachedOutcomes = new WeakMap<Walked, ReadonlyMap<string, boolean>>();

function outcomes(path: Walked): ReadonlyMap<string, boolean> {
  const known = cachedOutcomes.get(path);
  if (known !== undefined) return known;
  const made = new Map(path.decisions.map(({ place, holds }) => [place, holds]));
  cachedOutcomes.set(path, made);
  return made;
}

function decisionOf({ of, name, expression, dependsOn, path }: Decision): Omit<Condition, "holds"> {
  return { path, of, ...(name !== undefined && { name }), ...(expression !== undefined && { expression }), dependsOn };
}

function uniqueBy<Item>(items: readonly Item[], key: (item: Item) => string): readonly Item[] {
  const seen = new Map<string, Item>();
  for (const item of items) if (!seen.has(key(item))) seen.set(key(item), item);
  return [...seen.values()];
}
