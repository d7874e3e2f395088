import type { Json } from "@tutti/model";
import { canonical, type ChangePreview } from "./change-preview.ts";

/** One thing in which two previews of a run differ. */
export interface PreviewDifference {
  readonly of: "workflow" | "input" | "call" | "fact" | "end" | "wait" | "lock" | "back-out";
  /** Path of the task, where it is about one. */
  readonly path?: string;
  readonly what: "new" | "gone" | "changed";
  readonly before?: Json;
  readonly after?: Json;
  /** Whether the earlier preview said that this may differ. */
  readonly isTolerated: boolean;
}

/** In what the later preview differs from the earlier one; estimates, tokens and times are no part of it. */
export function comparePreviews(earlier: ChangePreview, later: ChangePreview): readonly PreviewDifference[] {
  const found: Omit<PreviewDifference, "isTolerated">[] = [];
  const pair = (of: PreviewDifference["of"], before: Json, after: Json): void => {
    if (canonical(before) !== canonical(after)) found.push({ of, what: "changed", before, after });
  };
  pair("workflow", { ...earlier.workflow }, { ...later.workflow });
  if (earlier.inputDigest !== later.inputDigest) found.push({ of: "input", what: "changed", before: earlier.input, after: later.input });
  const lists = { call: "calls", fact: "facts", wait: "waits", lock: "locks" } as const;
  for (const kind of ["call", "fact", "wait", "lock"] as const)
    found.push(...compareLists(kind, entries(earlier, lists[kind]), entries(later, lists[kind])));
  pair("end", plain(earlier.outlook.ends), plain(later.outlook.ends));
  found.push(...compareLists("back-out", backOutEntries(earlier), backOutEntries(later)));
  return found.map((one) => ({ ...one, isTolerated: isTolerated(earlier.tolerances, one) }));
}

function isTolerated(tolerances: readonly string[], { of, path }: Omit<PreviewDifference, "isTolerated">): boolean {
  return tolerances.some((tolerance) =>
    tolerance === "facts" ? of === "fact" : path !== undefined && (path === tolerance || path.endsWith(`/${tolerance}`)),
  );
}

interface Entry {
  readonly key: string;
  readonly path: string;
  readonly value: Json;
}

function entries({ outlook }: ChangePreview, list: "calls" | "facts" | "waits" | "locks"): readonly Entry[] {
  return outlook[list].map((item) => {
    const { token: _token, ...shown } = item as typeof item & { readonly token?: string };
    return { key: "place" in item ? item.place : item.path, path: item.path, value: plain(shown) };
  });
}

function backOutEntries({ outlook: { backOut } }: ChangePreview): readonly Entry[] {
  const entriesOf = (what: "undo" | "stays"): readonly Entry[] =>
    backOut[what].map((path) => ({ key: `${what} ${path}`, path, value: what }));
  return [...entriesOf("undo"), ...entriesOf("stays")];
}

function compareLists(
  of: PreviewDifference["of"],
  earlier: readonly Entry[],
  later: readonly Entry[],
): readonly Omit<PreviewDifference, "isTolerated">[] {
  const before = new Map(earlier.map((one) => [one.key, one]));
  const after = new Map(later.map((one) => [one.key, one]));
  const found: Omit<PreviewDifference, "isTolerated">[] = [];
  for (const { key, path, value } of earlier) {
    const now = after.get(key);
    if (now === undefined) found.push({ of, path, what: "gone", before: value });
    else if (canonical(value) !== canonical(now.value)) found.push({ of, path, what: "changed", before: value, after: now.value });
  }
  for (const { key, path, value } of later) if (!before.has(key)) found.push({ of, path, what: "new", after: value });
  return found;
}

/** Interfaces of plain data are JSON. */
function plain(value: unknown): Json {
  return value as Json;
}
