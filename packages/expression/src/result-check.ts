import type { Json } from "@tutti/model";
import type { Run } from "./run.ts";
import { newObject } from "./values.ts";

/**
 * Walks a result that loops may have built, paying for every node. What fits in memory as a shared structure can be endless as
 * text: `reduce range(100) as $i (0; [., .])` has 100 arrays and 2^100 leaves. Whoever stores a result must be able to rely on
 * its size and depth.
 */
export function checkResult(run: Run, value: Json, depth = 0): void {
  if (typeof value !== "object" || value === null) {
    if (typeof value === "string") run.spend(value.length >>> 4);
    return;
  }
  if (depth >= run.limits.nesting) throw run.limit(`the result is nested more than ${run.limits.nesting} deep`);
  if (Array.isArray(value)) {
    run.spend(1 + (value.length >>> 2));
    for (const item of value as readonly Json[]) checkResult(run, item, depth + 1);
    return;
  }
  const keys = Object.keys(value);
  run.spend(1 + keys.length);
  for (const key of keys) checkResult(run, (value as { readonly [key: string]: Json })[key] as Json, depth + 1);
}

/**
 * The value as jq prints it: nan as null, the infinities as the largest doubles. Within an expression they are numbers like others; what leaves it is
 * stored as JSON, and must be the same before and after.
 */
export function withFiniteNumbers(run: Run, value: Json): Json {
  if (typeof value === "number") return Number.isNaN(value) ? null : Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, value));
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    const items: readonly Json[] = value;
    run.array(items.length);
    return items.map((item) => withFiniteNumbers(run, item));
  }
  const object = newObject();
  const keys = Object.keys(value);
  run.object(keys.length);
  for (const key of keys) object[key] = withFiniteNumbers(run, (value as { readonly [key: string]: Json })[key] as Json);
  return object;
}
