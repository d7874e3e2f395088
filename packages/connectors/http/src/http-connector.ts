import { type Connector, defineConnector, Network, parseInput, z } from "@tutti/connector-kit";
import type { Json } from "@tutti/model";
import { Authenticator } from "./authentication.ts";
import { DEFAULT_LIMITS, type ExchangeLimits, type Fetch } from "./exchange.ts";
import { carryOut, type HttpDeps, prepareHttpCall } from "./http-call.ts";
import { HttpInput, OpenapiInput } from "./http-input.ts";
import { effectOfHttpInput } from "./http-method.ts";
import { TokenSource } from "./oauth2.ts";
import { Discovery } from "./oidc.ts";
import { OpenapiDocuments } from "./openapi-document.ts";
import { prepareOperation } from "./openapi-request.ts";

export interface HttpConnectorOptions {
  /** What may be called, and which certificates count; without it the default rules hold. */
  readonly network?: Network;
  /** In place of the network's fetch: tests lead public hosts to a local server. Must neither follow redirects nor keep credentials. */
  readonly fetch?: Fetch;
  readonly limits?: Partial<ExchangeLimits>;
  /** When kept tokens and documents end. */
  readonly nowMs?: () => number;
}

/** The calls `http` and `openapi` of the workflow language. */
export function httpConnector(options: HttpConnectorOptions = {}): Connector {
  const network = options.network ?? new Network();
  const send: Fetch = options.fetch ?? ((url, init) => network.fetch(url, init));
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const nowMs = options.nowMs ?? Date.now;
  const source = { send, limits, nowMs };
  const authenticator = new Authenticator({ tokens: new TokenSource(source), discovery: new Discovery(source) });
  const deps: HttpDeps = { send, limits, authenticator };
  const documents = new OpenapiDocuments({ ...deps, nowMs });
  return defineConnector({
    name: "http",
    version: "1.0.0",
    functions: {
      http: {
        title: "Call a service by HTTP",
        input: HttpInput,
        output: z.custom<Json>(),
        effect: effectOfHttpInput,
        requestTimeoutMs: limits.headTimeoutMs,
        settleMs: 0,
        run: async (input, attempt) => carryOut(prepareHttpCall(parseInput(HttpInput, input)), attempt, deps),
      },
      openapi: {
        title: "Call an operation of an OpenAPI document",
        input: OpenapiInput,
        output: z.custom<Json>(),
        // The operation's method stands in a document that may lie on another server: until it is loaded, nothing may be promised.
        effect: "unsafe",
        requestTimeoutMs: limits.headTimeoutMs,
        settleMs: 0,
        run: async (input, attempt) => {
          const call = parseInput(OpenapiInput, input);
          const document = await documents.load(call.document.endpoint, attempt);
          return carryOut(prepareOperation(document, call), attempt, deps);
        },
      },
    },
  });
}
