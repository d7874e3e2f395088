/**
 * What goes wrong with one request on its way.
 *
 * `lost-before`: it never arrives and nobody says so. `lost-after`: it has its effect, the answer never comes. `reset`: it has its effect and
 * the connection is reset. `duplicate`: it arrives twice where repeating is the sender's right (tools, PUT, PATCH, GET); of a POST the answer
 * arrives twice.
 */
export const FAULTS = ["lost-before", "lost-after", "reset", "duplicate"] as const;
export type Fault = (typeof FAULTS)[number];

/** One request as the world saw it. */
export interface RequestSeen {
  /** Counts from 1 over all systems. */
  readonly position: number;
  readonly operation: string;
}

/** Decides about each request in the order in which they arrive; a fault hits once. */
export class FaultPlan {
  readonly seen: RequestSeen[] = [];
  readonly #position: number | undefined;
  readonly #fault: Fault | undefined;
  hit: RequestSeen | undefined;

  /** Without arguments nothing goes wrong. */
  constructor(position?: number, fault?: Fault) {
    this.#position = position;
    this.#fault = fault;
  }

  next(operation: string): Fault | undefined {
    const request = { position: this.seen.length + 1, operation };
    this.seen.push(request);
    if (request.position !== this.#position) return undefined;
    this.hit = request;
    return this.#fault;
  }
}

/** How often each effect that must happen once did happen. */
export class EffectLedger {
  readonly counts = new Map<string, number>();

  note(effect: string): void {
    this.counts.set(effect, (this.counts.get(effect) ?? 0) + 1);
  }

  /** Effects that happened more than once. */
  get doubled(): string[] {
    return [...this.counts].filter(([, count]) => count > 1).map(([effect, count]) => `${effect}: ${count} times`);
  }
}

/** What a command-line tool gives back. */
export interface ToolAnswer {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export function succeeded(stdout = ""): ToolAnswer {
  return { code: 0, stdout, stderr: "" };
}

export function failed(stderr: string, code = 1): ToolAnswer {
  return { code, stdout: "", stderr: `${stderr}\n` };
}
