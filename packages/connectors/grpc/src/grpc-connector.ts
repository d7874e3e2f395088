import { type HttpClient, httpClient } from "@tutti/connector-http";
import { type Connector, defineConnector, parseInput, z } from "@tutti/connector-kit";
import type { Json } from "@tutti/model";
import { GrpcInput } from "./grpc-input.ts";

export interface GrpcLimits {
  /** From asking for a connection to the other side's first frame. */
  readonly connectMs: number;
  /** How long the other side may say nothing before the call is given up. */
  readonly silenceMs: number;
}

const DEFAULT_LIMITS: GrpcLimits = {
  // A server that takes longer to say hello is down for practical purposes.
  connectMs: 10_000,
  // As for other requests; a method that takes longer streams its progress.
  silenceMs: 5 * 60_000,
};

export interface GrpcConnectorOptions {
  /** Shared with the other calls of the language: way out, limits, access tokens. */
  readonly http?: HttpClient;
  readonly limits?: Partial<GrpcLimits>;
}

/**
 * The call `grpc` of the workflow language. Nothing says what a method does (`idempotency_level` is rarely set, and stands in a document that is
 * read only when the call is made), so it is `unsafe` unless the author says otherwise. Servers find the token in the metadata `idempotency-key`.
 */
export function grpcConnector(options: GrpcConnectorOptions = {}): Connector {
  const http = options.http ?? httpClient();
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  // Protocol Buffers and HTTP/2 are loaded when the first call needs them: a process that makes none does not pay for them.
  let caller: Promise<(input: GrpcInput, attempt: Parameters<Connector["functions"][string]["run"]>[1]) => Promise<Json>> | undefined;
  return defineConnector({
    name: "grpc",
    version: "1.0.0",
    functions: {
      grpc: {
        title: "Call a method of a gRPC service",
        input: GrpcInput,
        output: z.custom<Json>(),
        effect: "unsafe",
        requestTimeoutMs: limits.connectMs + limits.silenceMs,
        settleMs: 0,
        run: async (given, attempt) => {
          const input = parseInput(GrpcInput, given);
          caller ??= import("./grpc-call.ts").then(({ grpcCaller }) => grpcCaller({ http, limits }));
          return (await caller)(input, attempt);
        },
      },
    },
  });
}
