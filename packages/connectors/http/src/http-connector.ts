import { type Connector, defineConnector, parseInput, z } from "@tutti/connector-kit";
import type { Json } from "@tutti/model";
import { carryOut, prepareHttpCall } from "./http-call.ts";
import { type HttpClient, httpClient, type HttpClientOptions } from "./http-client.ts";
import { HttpInput, OpenapiInput } from "./http-input.ts";
import { effectOfHttpInput } from "./http-method.ts";
import { openapiDocuments } from "./openapi-document.ts";
import { prepareOperation } from "./openapi-request.ts";

/** The calls `http` and `openapi` of the workflow language. */
export function httpConnector(options: HttpClientOptions & { readonly client?: HttpClient } = {}): Connector {
  const deps = options.client ?? httpClient(options);
  const { limits } = deps;
  const documents = openapiDocuments(deps);
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
