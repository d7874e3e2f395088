import { appendFileSync, existsSync, readFileSync, statSync } from "node:fs";

/**
 * What a process said before it died: one line per acknowledgement, in a file that the kernel keeps when the process is killed.
 *
 * `C run seq` a commit was acknowledged up to that record; `S run` a start was acknowledged; `E id` an event was accepted.
 */
export interface Acks {
  readonly committed: ReadonlyMap<string, number>;
  readonly started: ReadonlySet<string>;
  readonly events: ReadonlySet<string>;
  readonly lines: number;
}

export function acknowledge(file: string, lines: readonly string[]): void {
  appendFileSync(file, lines.map((line) => `${line}\n`).join(""));
}

/** Bytes of what was said so far: grows with each acknowledgement, and can be asked often. */
export function sizeOfAcks(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

export function readAcks(file: string): Acks {
  const committed = new Map<string, number>();
  const started = new Set<string>();
  const events = new Set<string>();
  const text = existsSync(file) ? readFileSync(file, "utf8") : "";
  // The last line may be cut by the kill; it was not acknowledged.
  const lines = text
    .slice(0, text.lastIndexOf("\n") + 1)
    .split("\n")
    .filter((line) => line !== "");
  for (const line of lines) {
    const [kind, id = "", seq = "0"] = line.split(" ");
    if (kind === "C") committed.set(id, Math.max(committed.get(id) ?? 0, Number(seq)));
    else if (kind === "S") started.add(id);
    else if (kind === "E") events.add(id);
  }
  return { committed, started, events, lines: lines.length };
}
