import type { Json } from "@tutti/model";
import { deleteIndices, index, setIndex } from "./access.ts";
import { compare, sortValues } from "./order.ts";
import type { Raised, Run } from "./run.ts";
import { excerpt, isArray, isObject, typeName } from "./values.ts";

// jq quotes a little more of a value in errors about paths than elsewhere.
const PATH_EXCERPT_LENGTH = 29;

/**
 * A value and where it was found: the chain of keys from the root of a path expression. A value that was computed has no place
 * (`isPlace` false); it may still flow through the expression, but no path may be taken from it.
 */
export class Location {
  readonly value: Json;
  readonly isPlace: boolean;
  readonly length: number;
  readonly #parent: Location | undefined;
  readonly #key: Json;

  private constructor(value: Json, step: { parent: Location | undefined; key: Json; isPlace: boolean }) {
    this.value = value;
    this.isPlace = step.isPlace;
    this.#parent = step.parent;
    this.#key = step.key;
    this.length = step.parent === undefined ? 0 : step.parent.length + 1;
  }

  static root(value: Json): Location {
    return new Location(value, { parent: undefined, key: null, isPlace: true });
  }

  step(run: Run, key: Json, value: Json): Location {
    if (this.length >= run.limits.nesting) throw run.limit(`a path has more than ${run.limits.nesting} steps`);
    run.spend(3);
    return new Location(value, { parent: this, key, isPlace: true });
  }

  /** The same place when an expression hands its input on, no place for any other value. */
  computed(value: Json): Location {
    if (value === this.value) return this;
    return new Location(value, { parent: undefined, key: null, isPlace: false });
  }

  path(run: Run): Json[] {
    if (!this.isPlace) throw run.raise(`Invalid path expression with result ${excerpt(run, this.value, PATH_EXCERPT_LENGTH)}`);
    run.spend(4 + (this.length >>> 1));
    const keys: Json[] = [];
    // oxlint-disable-next-line typescript/no-this-alias -- the walk up starts here
    let place: Location = this;
    for (let left = this.length; left > 0; left--) {
      keys.push(place.#key);
      place = place.#parent as Location;
    }
    return keys.reverse();
  }

  /** Refuses to take `key` of a value that has no place. */
  requireForAccess(run: Run, key: Json): void {
    if (this.isPlace) return;
    const what = typeof key === "string" ? JSON.stringify(key) : excerpt(run, key, PATH_EXCERPT_LENGTH);
    throw run.raise(`Invalid path expression near attempt to access element ${what} of ${excerpt(run, this.value, PATH_EXCERPT_LENGTH)}`);
  }

  requireForIteration(run: Run): void {
    if (this.isPlace) return;
    throw run.raise(`Invalid path expression near attempt to iterate through ${excerpt(run, this.value, PATH_EXCERPT_LENGTH)}`);
  }
}

export function getPath(run: Run, value: Json, path: Json): Json {
  if (!isArray(path)) throw run.raise("Path must be specified as an array");
  let current = value;
  for (const key of path) {
    run.spend(1);
    current = index(run, current, key);
  }
  return current;
}

export function setPath(run: Run, value: Json, path: Json, replacement: Json): Json {
  return updatePath(run, value, checkedPath(run, path), () => replacement);
}

/** `value` with what stands at `path` replaced by `update` of it. */
export function updatePath(run: Run, value: Json, path: readonly Json[], update: (old: Json) => Json): Json {
  const descend = (current: Json, depth: number): Json => {
    if (depth === path.length) return update(current);
    run.spend(1);
    const key = path[depth] as Json;
    return setIndex(run, current, key, descend(index(run, current, key), depth + 1));
  };
  return descend(value, 0);
}

export function checkedPath(run: Run, path: Json): readonly Json[] {
  if (!isArray(path)) throw run.raise("Path must be specified as an array");
  if (path.length > run.limits.nesting) throw run.limit(`a path has more than ${run.limits.nesting} steps`);
  return path;
}

/**
 * Deletes all `paths`, as jq does: the members of one level at once, so that deleting one never moves what another names; what lies deeper from the
 * first to the last, so that a slice sees what was deleted before it.
 */
export function deletePaths(run: Run, value: Json, paths: Json): Json {
  if (!isArray(paths)) throw notPaths(run);
  for (const path of paths) checkedPath(run, path);
  return deleteSorted(run, value, sortValues(run, paths) as readonly (readonly Json[])[], 0);
}

function notPaths(run: Run): Raised {
  return run.raise("Paths must be specified as an array");
}

/** `paths` are sorted and share their first `depth` keys; equal next keys are therefore neighbours. */
function deleteSorted(run: Run, value: Json, paths: readonly (readonly Json[])[], depth: number): Json {
  if (paths.length === 0) return value;
  if ((paths[0] as readonly Json[]).length === depth) return null;
  let result = value;
  const doomed: Json[] = [];
  for (const group of groupsOf(run, paths, depth)) {
    // Each path is deeper than this level, and the shortest of a group comes first.
    const first = group[0] as readonly Json[];
    const key = first[depth] as Json;
    if (first.length === depth + 1) {
      doomed.push(key);
      continue;
    }
    const child = result === null ? null : childOf(run, result, key);
    if (child !== null) result = setIndex(run, result, key, deleteSorted(run, child, group, depth + 1));
  }
  return deleteIndices(run, result, doomed);
}

/** Those with the same key at `depth`. Older rules go from the last to the first, by which a slice moved what an index before it names. */
function groupsOf(run: Run, paths: readonly (readonly Json[])[], depth: number): readonly (readonly (readonly Json[])[])[] {
  const groups: (readonly (readonly Json[])[])[] = [];
  for (let start = 0; start < paths.length;) {
    const key = (paths[start] as readonly Json[])[depth] as Json;
    let end = start + 1;
    while (end < paths.length && compare(run, (paths[end] as readonly Json[])[depth] as Json, key) === 0) end++;
    run.array(end - start);
    groups.push(paths.slice(start, end));
    start = end;
  }
  return run.hasOlderRules ? groups.reverse() : groups;
}

function childOf(run: Run, value: Json, key: Json): Json {
  if (isObject(value) && typeof key !== "string") throw run.raise(`Cannot delete ${typeName(key)} field of object`);
  return index(run, value, key);
}
