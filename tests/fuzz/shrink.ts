import { isJsonObject, type Json } from "@tutti/model";

/** Shrinking ends then: an input that is nearly small is better than none. */
const BUDGET_MS = 10_000;

/** Leaves out parts of `input`, and makes others plainer, as long as it `fails` in the same way. */
export async function shrink(
  input: Json,
  fails: (smaller: Json) => Promise<boolean>,
  budgetMs = BUDGET_MS,
): Promise<{ readonly input: Json; readonly tries: number }> {
  const untilMs = performance.now() + budgetMs;
  let best = input;
  let tries = 0;
  for (let found = true; found;) {
    found = false;
    for (const smaller of smallerThan(best)) {
      if (performance.now() > untilMs) return { input: best, tries };
      tries += 1;
      if (!(await fails(smaller))) continue;
      best = smaller;
      found = true;
      break;
    }
  }
  return { input: best, tries };
}

/** Values that say less than `value`, the smallest first. The members of an input itself are what its target needs: they only get smaller. */
function* smallerThan(value: Json, isWhole = true): Generator<Json> {
  if (typeof value === "string") yield* shorter(value, (from, to) => value.slice(0, from) + value.slice(to));
  else if (typeof value === "number") yield* numbersBelow(value);
  else if (Array.isArray(value)) {
    const items: readonly Json[] = value;
    yield* shorter(items, (from, to) => [...items.slice(0, from), ...items.slice(to)]);
    for (const [index, item] of items.entries()) for (const smaller of smallerThan(item, false)) yield items.with(index, smaller);
  } else if (isJsonObject(value)) {
    const entries = Object.entries(value);
    if (!isWhole) yield* shorter(entries, (from, to) => Object.fromEntries([...entries.slice(0, from), ...entries.slice(to)]));
    for (const [key, member] of entries)
      for (const smaller of smallerThan(member, false))
        yield Object.fromEntries(entries.map(([name, old]) => [name, name === key ? smaller : old]));
  }
}

function* shorter(value: { readonly length: number }, without: (from: number, to: number) => Json): Generator<Json> {
  for (let size = value.length; size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2))
    for (let from = 0; from < value.length; from += size) yield without(from, Math.min(from + size, value.length));
}

function* numbersBelow(value: number): Generator<Json> {
  for (const smaller of [0, 1, Math.trunc(value / 2), Math.trunc(value)]) if (Math.abs(smaller) < Math.abs(value)) yield smaller;
}
