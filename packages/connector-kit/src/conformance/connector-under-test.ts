import type { Json, JsonObject } from "@tutti/model";
import type { Connector } from "../connector.ts";
import type { AttemptProvider } from "../provider.ts";

/** What the suite has to be told of a connector. The target is the real system, or a fake that speaks its protocol. */
export interface ConnectorUnderTest {
  readonly connector: Connector;
  /**
   * Opens the target under a fault: a provider that leads to it. `none` is the target as it is. Connectors that speak HTTP take `httpTarget`. The
   * provider's credentials hold a text of six characters or more, or there is nothing to find in the law about secrets.
   */
  readonly open: (fault: TargetFault) => Promise<OpenTarget>;
  /** A case for each function. */
  readonly functions: Readonly<Record<string, FunctionCase>>;
  /** Removes whatever the suite has made; called after each law. */
  readonly cleanUp: () => Promise<void>;
}

export type TargetFault =
  | { readonly kind: "none" }
  /** Nothing listens. */
  | { readonly kind: "down" }
  /** It answers that it can't now (HTTP 503). */
  | { readonly kind: "busy" }
  /** The credentials are wrong. */
  | { readonly kind: "denied" }
  /** It takes a request and never answers. */
  | { readonly kind: "silent" }
  /** It answers what no connector expects. */
  | { readonly kind: "garbage" }
  /** It answers success, well-formed, as another system would: HTTP 200 and some JSON. */
  | { readonly kind: "stranger" }
  /** It answers success and does not stop answering. */
  | { readonly kind: "flood" }
  /** It answers an error that tells everything it was sent, credentials included. */
  | { readonly kind: "echo" }
  /** The answer of the request of this number, from 1, is lost after it was carried out. */
  | { readonly kind: "answer-lost"; readonly request: number }
  /** The request of this number is lost before it is carried out. */
  | { readonly kind: "request-lost"; readonly request: number }
  /** It is carried out, and answered by an error that says that it may be tried again (HTTP 500). */
  | { readonly kind: "failed-after"; readonly request: number }
  /** It arrives twice, and the second answer counts. */
  | { readonly kind: "doubled"; readonly request: number };

/** A target that somebody has opened. */
export interface OpenTarget {
  readonly provider: AttemptProvider;
  /** Requests that have arrived. */
  requests(): number;
  /** Resolves when the first request has arrived. */
  readonly reached: Promise<void>;
  close(): Promise<void>;
}

export interface FunctionCase {
  /** Brings the target into a state in which the call makes sense, and gives the call's input. Asked many times. */
  readonly input: (given: GivenToCase) => Promise<JsonObject> | JsonObject;
  /** An input that fits the schema and that the target will never take; left out when it takes everything. */
  readonly refused?: (given: GivenToCase) => Promise<JsonObject> | JsonObject;
}

export interface GivenToCase {
  /** A word of small letters and digits that no other call of the suite was given. */
  readonly name: string;
  /** Calls a function of the connector on the target as it is, with a token of its own. */
  readonly call: (name: string, input: JsonObject) => Promise<Json>;
}
