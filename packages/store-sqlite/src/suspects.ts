import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

interface SuspectFile {
  /** The run that is being advanced for the first time. */
  current: string | undefined;
  /** Crashes in a row by mark. */
  readonly crashes: Map<string, number>;
}

/**
 * Which run took the process down. Kept in a file of its own that is never synced: it has to survive the process, not the machine, and is
 * written once per recovered run.
 */
export class Suspects {
  readonly #path: string;
  readonly #file: SuspectFile;

  /** Attributes the crash of the process before to the run that was marked then. */
  constructor(directory: string) {
    this.#path = join(directory, "suspects.json");
    this.#file = read(this.#path);
    const { current, crashes } = this.#file;
    if (current === undefined) return;
    crashes.set(current, (crashes.get(current) ?? 0) + 1);
    this.#file.current = undefined;
    this.#write();
  }

  list(): readonly { readonly runId: string; readonly crashes: number }[] {
    return [...this.#file.crashes].map(([runId, crashes]) => ({ runId, crashes }));
  }

  mark(runId: string | undefined): void {
    const { current, crashes } = this.#file;
    // Whoever was marked before and let the process live has not taken it down this time: crashes are counted in a row.
    if (current !== undefined && current !== runId) crashes.delete(current);
    this.#file.current = runId;
    this.#write();
  }

  /** An orderly stop is no crash of anybody. */
  unmark(): void {
    if (this.#file.current === undefined) return;
    this.#file.current = undefined;
    this.#write();
  }

  clear(): void {
    this.#file.current = undefined;
    this.#file.crashes.clear();
    this.#write();
  }

  /** By renaming: a kill between two writes leaves the old file or the new one. */
  #write(): void {
    const { current, crashes } = this.#file;
    writeFileSync(`${this.#path}.new`, JSON.stringify({ current, crashes: Object.fromEntries(crashes) }), { mode: 0o600 });
    renameSync(`${this.#path}.new`, this.#path);
  }
}

/** A file that cannot be read (power was cut, it is never synced) says nothing: poison is counted from the beginning again. */
function read(path: string): SuspectFile {
  try {
    const stored = JSON.parse(readFileSync(path, "utf8")) as { readonly current?: unknown; readonly crashes?: unknown };
    const counts = typeof stored.crashes === "object" && stored.crashes !== null ? Object.entries(stored.crashes) : [];
    const crashes = counts.filter((entry): entry is [string, number] => typeof entry[1] === "number");
    return { current: typeof stored.current === "string" ? stored.current : undefined, crashes: new Map(crashes) };
  } catch {
    return { current: undefined, crashes: new Map() };
  }
}
