import { hash } from "node:crypto";
import type { EventFilter } from "@tutti/definition";
import { type CloudEvent, isJsonObject, type Json, ownProperty } from "@tutti/model";
import { TaskFailure } from "./evaluate.ts";
import type { FilterEvaluation } from "./event-filter.ts";

/**
 * By what subscriptions are found besides the type: the constants of their filters. A key only ever leaves out events that the filter does not
 * fit; whether one that is left fits is for `fitsFilter` to say.
 */
export interface SubscriptionKey {
  /** Which members of the event are compared: JSON text of their paths. Few per type, since it follows from documents. */
  readonly name: string;
  /** A digest of their values, in the same order. */
  readonly value: string;
}

/** Members that go into a key at most: more make no key more selective, and each is read from every event of the type. */
const MEMBERS_MAX = 8;
/** Length of the digest in hexadecimal: 128 bits. Two values that meet by chance would cost a look at a run, no more. */
const VALUE_HEX = 32;

/**
 * The key of a filter whose listening begins now, undefined when it compares with nothing that is fixed: then every event of its type is a candidate.
 *
 * @param isContextFixed nobody exports into the task's context while it listens.
 */
export function subscriptionKey(filter: EventFilter, evaluation: FilterEvaluation, isContextFixed: boolean): SubscriptionKey | undefined {
  const paths: (readonly string[])[] = [];
  const values: Scalar[] = [];
  for (const { path, value, readsContext } of filter.constants) {
    if (paths.length === MEMBERS_MAX) break;
    if (readsContext && !isContextFixed) continue;
    const wanted = valueIfAny(() => evaluation.template(value));
    // `null` is also what an event has that lacks the member.
    if (!isScalar(wanted)) continue;
    paths.push(path);
    values.push(wanted);
  }
  return paths.length === 0 ? undefined : { name: JSON.stringify(paths), value: digestOf(values) };
}

/** What the event has under a key's name; undefined when one of the members is not there, or no text, number or boolean. */
export function eventKeyValue(event: CloudEvent, name: string): string | undefined {
  // Names are what `subscriptionKey` has made.
  const paths = JSON.parse(name) as readonly (readonly string[])[];
  const values: Scalar[] = [];
  for (const path of paths) {
    const found = memberAt(event, path);
    if (!isScalar(found)) return undefined;
    values.push(found);
  }
  return digestOf(values);
}

type Scalar = string | number | boolean;

function memberAt(event: CloudEvent, path: readonly string[]): Json | undefined {
  let found: Json | undefined = event;
  for (const name of path) found = isJsonObject(found) ? ownProperty(found, name) : undefined;
  return found;
}

/** What cannot be evaluated fits no event; the filter itself says so. */
function valueIfAny(evaluate: () => Json): Json | undefined {
  try {
    return evaluate();
  } catch (cause) {
    if (cause instanceof TaskFailure) return undefined;
    throw cause;
  }
}

function isScalar(value: Json | undefined): value is Scalar {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean";
}

function digestOf(values: readonly Scalar[]): string {
  return hash("sha256", JSON.stringify(values), "hex").slice(0, VALUE_HEX);
}
