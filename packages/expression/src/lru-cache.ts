/** A bounded map that forgets what was used longest ago. A Map keeps insertion order, so the oldest entry is its first. */
export class LruCache<K, V> {
  readonly #entries = new Map<K, V>();
  readonly #size: number;

  constructor(size: number) {
    this.#size = size;
  }

  /** The entry, made by `create` when there is none. What `create` throws is not remembered. */
  getOrCreate(key: K, create: () => V): V {
    const found = this.#entries.get(key);
    if (found !== undefined) {
      this.#entries.delete(key);
      this.#entries.set(key, found);
      return found;
    }
    const created = create();
    this.#entries.set(key, created);
    if (this.#entries.size > this.#size) this.#entries.delete(this.#entries.keys().next().value as K);
    return created;
  }

  delete(key: K): void {
    this.#entries.delete(key);
  }
}
