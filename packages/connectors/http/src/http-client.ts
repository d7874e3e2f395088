import { Network } from "@tutti/connector-kit";
import { Authenticator } from "./authentication.ts";
import { DEFAULT_LIMITS, type ExchangeLimits, type Fetch } from "./exchange.ts";
import type { HttpDeps } from "./http-call.ts";
import { TokenSource } from "./oauth2.ts";
import { Discovery } from "./oidc.ts";

export interface HttpClientOptions {
  /** What may be called, and which certificates count; without it the default rules hold. */
  readonly network?: Network;
  /** In place of the network's fetch: tests lead public hosts to a local server. Must neither follow redirects nor keep credentials. */
  readonly fetch?: Fetch;
  readonly limits?: Partial<ExchangeLimits>;
  /** When kept tokens and documents end. */
  readonly nowMs?: () => number;
}

/** HTTP as all calls of the language use it: one way out, one set of limits, one store of access tokens. */
export interface HttpClient extends HttpDeps {
  readonly nowMs: () => number;
  readonly network: Network;
}

export function httpClient(options: HttpClientOptions = {}): HttpClient {
  const network = options.network ?? new Network();
  const send: Fetch = options.fetch ?? ((url, init) => network.fetch(url, init));
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const nowMs = options.nowMs ?? Date.now;
  const source = { send, limits, nowMs };
  const authenticator = new Authenticator({ tokens: new TokenSource(source), discovery: new Discovery(source) });
  return { send, limits, nowMs, network, authenticator };
}
