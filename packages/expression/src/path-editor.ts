import type { Json } from "@tutti/model";
import { index, setIndex } from "./access.ts";
import { getPath } from "./paths.ts";
import type { Run } from "./run.ts";
import { isArray, isObject, type MutableObject } from "./values.ts";

/**
 * Replaces many places of one value. Containers are copied the first time that they change and edited in place after that, so
 * that `.[] += 1` costs one copy of the array and not one per element; nothing that anyone else can see is ever changed.
 */
export class PathEditor {
  readonly #run: Run;
  #value: Json;
  /** Containers that only this editor knows. */
  readonly #owned = new Set<Json>();

  constructor(run: Run, value: Json) {
    this.#run = run;
    this.#value = value;
  }

  get value(): Json {
    return this.#value;
  }

  update(path: readonly Json[], change: (old: Json) => Json): void {
    this.tryUpdate(path, change);
  }

  /** As `update`; when `change` gives undefined nothing changes and the answer is false. */
  tryUpdate(path: readonly Json[], change: (old: Json) => Json | undefined): boolean {
    const old = getPath(this.#run, this.#value, path);
    // From here on others may hold the old value, whatever is inside it included.
    if (this.#owned.has(old)) this.#owned.clear();
    const replacement = change(old);
    if (replacement === undefined) return false;
    this.#value = this.#descend(this.#value, path, { depth: 0, replacement });
    return true;
  }

  #descend(current: Json, path: readonly Json[], step: { depth: number; replacement: Json }): Json {
    const { depth, replacement } = step;
    if (depth === path.length) return replacement;
    const key = path[depth] as Json;
    const child = index(this.#run, current, key);
    return this.#set(current, key, this.#descend(child, path, { depth: depth + 1, replacement }));
  }

  #set(container: Json, key: Json, value: Json): Json {
    this.#run.spend(1);
    if (!this.#owned.has(container)) {
      const copy = setIndex(this.#run, container, key, value);
      this.#owned.add(copy);
      return copy;
    }
    // The casts: an owned container was built by setIndex above and is nobody else's.
    if (typeof key === "string" && isObject(container)) {
      (container as MutableObject)[key] = value;
      return container;
    }
    if (typeof key === "number" && isArray(container) && Number.isInteger(key) && key >= 0 && key <= container.length) {
      if (key === container.length) this.#run.array(4);
      if (key >= this.#run.limits.arrayLength) this.#run.array(key + 1);
      (container as Json[])[key] = value;
      return container;
    }
    const copy = setIndex(this.#run, container, key, value);
    this.#owned.add(copy);
    return copy;
  }
}
