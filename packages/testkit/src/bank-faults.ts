import { createRandom } from "./random.ts";

/** One request to the bank, as a fault plan sees it. */
export interface BankRequest {
  /** Without the connector: `account.put:1`. */
  readonly function: string;
  readonly phase: "run" | "find";
  readonly token: string;
  readonly runId: string;
  readonly taskPath: string;
  /** Counts from 1 over all attempts of the token. */
  readonly attempt: number;
}

/** What goes wrong with a request between Tutti and the bank. */
export type BankFault =
  /** The answer comes late; the effect, if any, is made at the end of the wait. */
  | { readonly kind: "delay"; readonly ms: number }
  /** The bank can't be reached: known that nothing happened. */
  | { readonly kind: "fail-before" }
  /** The request is lost on its way: no effect, and nobody knows. */
  | { readonly kind: "lose-before" }
  /** The answer is lost on its way: the effect is there, and nobody knows. */
  | { readonly kind: "fail-after" }
  /** No answer ever, with or without the effect; ends when the attempt is aborted. */
  | { readonly kind: "hang"; readonly effect: boolean }
  /** The bank refuses, completely and without an effect. */
  | { readonly kind: "answer-error"; readonly status: number; readonly retryable?: boolean }
  /** The network delivers the request twice; a function that does not know its tokens has its effect twice. */
  | { readonly kind: "duplicate" }
  /** The answer is lost, and the effect can be seen only `ms` later: what `settleMs` is for. */
  | { readonly kind: "appear-late"; readonly ms: number };

/**
 * Decides what goes wrong with a request. A pure function of the request, so that the same plan does the same in a process that was killed
 * and started again; address a fault by attempt so that the next attempt gets through.
 */
export type FaultPlan = (request: BankRequest) => BankFault | undefined;

export const NO_FAULTS: FaultPlan = () => undefined;

/** Which requests a fault hits: all that agree with every member given. */
export interface FaultAddress {
  readonly taskPath?: string;
  readonly token?: string;
  readonly function?: string;
  /** Default `run`. */
  readonly phase?: "run" | "find";
  /** Default 1: the first attempt fails and the next gets through. */
  readonly attempt?: number | "every";
}

export interface AddressedFault extends FaultAddress {
  readonly fault: BankFault;
}

/** Faults at exact places; the first address that fits decides. */
export function faultsAt(...faults: readonly AddressedFault[]): FaultPlan {
  return (request) => faults.find((candidate) => addresses(candidate, request))?.fault;
}

function addresses(address: FaultAddress, request: BankRequest): boolean {
  const attempt = address.attempt ?? 1;
  return (
    (address.taskPath === undefined || address.taskPath === request.taskPath) &&
    (address.token === undefined || address.token === request.token) &&
    (address.function === undefined || address.function === request.function) &&
    (address.phase ?? "run") === request.phase &&
    (attempt === "every" || attempt === request.attempt)
  );
}

export interface SeededFaultOptions {
  readonly seed: number | string;
  /** Chance of a fault per request, 0 to 1. */
  readonly rate: number;
  /** The faults to choose from, each as likely as the others. */
  readonly faults: readonly BankFault[];
  /** Attempts after this one are left alone, so that every run can end. Default 3. */
  readonly attemptsMax?: number;
}

/** Faults that look random and are the same for the same seed, token and attempt, in whatever order and process the requests come. */
export function seededFaults(options: SeededFaultOptions): FaultPlan {
  const attemptsMax = options.attemptsMax ?? 3;
  return (request) => {
    if (request.attempt > attemptsMax) return undefined;
    const random = createRandom(`${options.seed}/${request.phase}/${request.token}/${request.attempt}`);
    return random.chance(options.rate) ? random.pick(options.faults) : undefined;
  };
}
