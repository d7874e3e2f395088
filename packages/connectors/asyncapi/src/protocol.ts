import { isIP } from "node:net";
import { type Authentication, describeNetworkFailure, type HttpClient, type PlainCredentials } from "@tutti/connector-http";
import { type Attempt, ConnectorError } from "@tutti/connector-kit";
import type { JsonObject } from "@tutti/model";
import type { Encoded, Inbound } from "./message.ts";
import type { Target } from "./target.ts";

/** What a protocol is given for one call. */
export interface Exchange {
  readonly target: Target;
  readonly attempt: Attempt;
  /** For protocols with a log-in of their own. */
  readonly credentials: PlainCredentials | undefined;
  readonly authentication: Authentication | undefined;
  readonly http: HttpClient;
  readonly limits: AsyncapiLimits;
}

export interface AsyncapiLimits {
  /** From asking for a connection to being logged in. */
  readonly connectMs: number;
  /** From handing a message over to the broker's acknowledgement. */
  readonly acknowledgeMs: number;
  /** How long what was consumed is kept from others until the output is stored. */
  readonly storeMs: number;
}

export const DEFAULT_LIMITS: AsyncapiLimits = {
  // A broker that takes longer to say hello is down for practical purposes.
  connectMs: 10_000,
  // Brokers answer when the message is on disk, with some of them on several.
  acknowledgeMs: 30_000,
  // A full store makes runs wait longer than that; then the messages go back, and the run has consumed them all the same: at least once.
  storeMs: 60_000,
};

/** One message of a subscription. */
export interface Delivery {
  readonly message: Inbound;
  readonly bytes: number;
}

/** An open subscription. */
export interface Source {
  /** Messages as they come; ends when the source ends, throws when the connection is lost. */
  readonly deliveries: AsyncIterable<Delivery>;
  /**
   * For protocols that lend messages: tells the broker which of them are kept, and gives the others back. Without it, a message is gone from
   * the broker once it was delivered.
   */
  readonly keep?: (taken: readonly Delivery[]) => Promise<void>;
  /** Ends the subscription. What was lent and not kept goes back. May be called twice. */
  close(): Promise<void>;
}

/** One family of protocols. Loaded on first use. */
export interface Protocol {
  /** Sends a message and waits until the broker has acknowledged it. @returns what the broker said, beyond that. */
  publish(exchange: Exchange, message: Encoded): Promise<JsonObject>;
  subscribe(exchange: Exchange): Promise<Source>;
}

/** One address to connect to, and the name that its certificate must have. */
export interface Peer {
  readonly address: string;
  /** Empty where the host is an address: then the certificate must have that. */
  readonly servername: string;
  /** Trusted authorities; undefined for Node's own. */
  readonly ca: string[] | undefined;
}

/**
 * Connects to the first address of the target's host that takes the connection.
 *
 * @throws ConnectorError what the last address said; `authorization` when the rules of the network refuse one of them.
 */
export async function connectFirst<T>({ target, http }: Exchange, connect: (peer: Peer) => Promise<T>): Promise<T> {
  const { network } = http;
  const addresses = await network.addressesOf(target.host).catch((error: unknown) => {
    throw describeNetworkFailure(error, placeOf(target));
  });
  const ca = network.certificateAuthorities === undefined ? undefined : [...network.certificateAuthorities];
  let problem: unknown;
  for (const { address } of addresses) {
    try {
      return await connect({ address, servername: isIP(target.host) === 0 ? target.host : "", ca });
    } catch (error) {
      problem = error;
      if (!(error instanceof ConnectorError) || error.errorKind !== "communication" || error.outcome !== "never-began") break;
    }
  }
  throw problem;
}

/** `host:port` for messages. */
export function placeOf({ host, port }: Target): string {
  return port === 0 ? host : `${host}:${port}`;
}

export function failure(message: string, options: ConstructorParameters<typeof ConnectorError>[1]): ConnectorError {
  return new ConnectorError(message, options);
}

/** The broker does not know these credentials. */
export function refusedLogin(target: Target, reason: string, cause: unknown): ConnectorError {
  return failure(`${placeOf(target)} refuses the log-in: ${reason}.`, {
    kind: "authentication",
    outcome: "never-began",
    status: 401,
    cause,
  });
}

/** No connection was made, so nothing was sent. A certificate that is not accepted is told with the way out, and is the same the next time. */
export function notConnected(target: Target, cause: unknown): ConnectorError {
  const described = describeNetworkFailure(cause, placeOf(target));
  if (described.outcome === "never-began" && !described.retryable) return described;
  return failure(`${placeOf(target)} can't be reached: ${reasonOf(cause)}.`, {
    kind: "communication",
    outcome: "never-began",
    retryable: true,
    cause,
  });
}

/** The connection broke, or time ran out, after the message was handed over. */
export function lost(target: Target, cause: unknown): ConnectorError {
  return failure(`The connection to ${placeOf(target)} was lost: ${reasonOf(cause)}.`, {
    kind: "communication",
    outcome: "unknown",
    retryable: true,
    cause,
  });
}

/** The broker looked at the message and does not take it. */
export function notTaken(target: Target, reason: string, status?: number): ConnectorError {
  return failure(`${placeOf(target)} did not take the message: ${reason}.`, {
    kind: "communication",
    outcome: "answered",
    ...(status === undefined ? {} : { status }),
  });
}

export function reasonOf(cause: unknown): string {
  if (cause instanceof AggregateError && cause.errors.length > 0) return reasonOf(cause.errors[0]);
  const text = cause instanceof Error ? cause.message || cause.name : String(cause);
  return text.replace(/\.$/, "");
}

/** `pending`, unless time runs out or the attempt is stopped before: then `give()` says with what it fails. */
export async function within<T>(pending: Promise<T>, ms: number, attempt: Attempt, give: (why: string) => ConnectorError): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  let stop: (() => void) | undefined;
  const limit = new Promise<never>((_, reject) => {
    stop = (): void => reject(give("the attempt was stopped"));
    if (attempt.signal.aborted) stop();
    else attempt.signal.addEventListener("abort", stop, { once: true });
    timer = setTimeout(() => reject(give(`nothing came within ${ms / 1000} s`)), ms);
  });
  // Whoever loses the race fails unheard.
  pending.catch(() => {});
  try {
    return await Promise.race([pending, limit]);
  } finally {
    clearTimeout(timer);
    if (stop !== undefined) attempt.signal.removeEventListener("abort", stop);
  }
}
