import { closeSync, fstatSync, openSync, readSync, writeSync } from "node:fs";
import type { Json } from "@tutti/model";

/** A request that reached the bank's door, whatever became of it. */
export interface BankCall {
  readonly type: "call";
  readonly function: string;
  readonly phase: "run" | "find";
  readonly token: string;
  readonly runId: string;
  readonly taskPath: string;
  readonly attempt: number;
  /** The kind of the fault that hit it, or "none". */
  readonly fault: string;
}

/** One effect: one line per time the bank really changed something. */
export interface BankEffect {
  readonly type: "effect";
  readonly function: string;
  readonly token: string;
  readonly account: string;
  readonly amount: number;
  readonly output: Json;
  /** Look-ups see the effect from this moment on. */
  readonly visibleAtMs: number;
}

export type BankEntry = BankCall | BankEffect;

/** The bank's books: append only, in the order in which things happened. */
export interface BankLedger {
  append(entry: BankEntry): void;
  /** All entries, also those that other processes appended meanwhile. */
  entries(): readonly BankEntry[];
  close(): void;
}

export function createMemoryLedger(): BankLedger {
  const entries: BankEntry[] = [];
  return { append: (entry) => void entries.push(entry), entries: () => entries, close: () => {} };
}

const NEWLINE = 0x0a;

/**
 * Keeps the books in a file of JSON lines that outlives a killed process.
 *
 * Each entry is one O_APPEND write of one line, made before the answer is given. It is not synced: kill -9 leaves the page cache alone, and
 * power loss is not what this bank is for. Several processes may append and read; a half line (a write cut short) is skipped by readers and
 * closed off by the next process that opens the file.
 */
export function openFileLedger(path: string): BankLedger {
  const file = openSync(path, "a+", 0o600);
  const entries: BankEntry[] = [];
  let readUpTo = 0;

  const refresh = (): void => {
    const size = fstatSync(file).size;
    if (size <= readUpTo) return;
    const fresh = Buffer.alloc(size - readUpTo);
    const length = readSync(file, fresh, 0, fresh.length, readUpTo);
    const end = fresh.subarray(0, length).lastIndexOf(NEWLINE) + 1;
    for (const line of fresh.toString("utf8", 0, end).split("\n")) {
      const entry = parseEntry(line);
      if (entry !== undefined) entries.push(entry);
    }
    readUpTo += end;
  };

  refresh();
  if (fstatSync(file).size > readUpTo) writeSync(file, "\n");
  return {
    append: (entry) => void writeSync(file, `${JSON.stringify(entry)}\n`),
    entries: () => {
      refresh();
      return entries;
    },
    close: () => closeSync(file),
  };
}

function parseEntry(line: string): BankEntry | undefined {
  if (line === "") return undefined;
  try {
    // Only this module writes the file, so a line that parses is an entry.
    return JSON.parse(line) as BankEntry;
  } catch {
    return undefined;
  }
}
