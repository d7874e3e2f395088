import { LOG_EVENTS, LOG_LEVELS, type LogEvent, type LogFields, type LogLevel } from "./log-catalogue.ts";

export type LogFormat = "json" | "text";

/** Of one member; a longer text says no more. */
const FIELD_LENGTH_MAX = 500;

/** Writes what happens as lines, one an event: JSON for programs, or text for people. */
export class EventLog {
  readonly #format: LogFormat;
  readonly #levels: ReadonlySet<LogLevel>;
  readonly #write: (line: string) => void;
  readonly #nowMs: () => number;

  constructor(options: {
    readonly format: LogFormat;
    readonly level: LogLevel;
    readonly write: (line: string) => void;
    readonly nowMs: () => number;
  }) {
    this.#format = options.format;
    this.#levels = new Set(LOG_LEVELS.slice(0, LOG_LEVELS.indexOf(options.level) + 1));
    this.#write = options.write;
    this.#nowMs = options.nowMs;
  }

  /** Whether lines of the event are written at all. */
  hears(event: LogEvent): boolean {
    return this.#levels.has(LOG_EVENTS[event].level);
  }

  /** `atMs`: when it happened; now when it is left out. */
  log(event: LogEvent, fields: LogFields, atMs: number = this.#nowMs()): void {
    if (!this.hears(event)) return;
    const { level } = LOG_EVENTS[event];
    const at = new Date(atMs).toISOString();
    const told = Object.entries(fields).flatMap(([name, value]) => (value === undefined ? [] : [[name, bounded(value)] as const]));
    if (this.#format === "json") this.#write(`${JSON.stringify({ at, level, event, ...Object.fromEntries(told) })}\n`);
    else
      this.#write(`${at} ${level.toUpperCase().padEnd(5)} ${event}${told.map(([name, value]) => ` ${name}=${textOf(value)}`).join("")}\n`);
  }
}

function bounded(value: string | number): string | number {
  return typeof value === "string" && value.length > FIELD_LENGTH_MAX ? `${value.slice(0, FIELD_LENGTH_MAX)}…` : value;
}

/** Quoted when it would not be read as one word: control characters must not reach a terminal. */
function textOf(value: string | number): string {
  return typeof value === "string" && !/^[\w./:@#+-]+$/.test(value) ? JSON.stringify(value) : String(value);
}
