import { type HttpClient, httpClient } from "@tutti/connector-http";
import { type Connector, ConnectorError, defineConnector, parseInput, z } from "@tutti/connector-kit";
import type { Json, JsonObject } from "@tutti/model";
import { openHttp } from "./http-transport.ts";
import { McpInput } from "./mcp-input.ts";
import { callOnce } from "./session.ts";
import { openStdio } from "./stdio-transport.ts";

export interface McpConnectorOptions {
  /** Shared with the other calls of the language: way out, limits, access tokens. */
  readonly http?: HttpClient;
}

/** A session and a call of usual length; a tool that takes longer gets a `timeout`. */
const CALL_MS = 5 * 60_000;

/**
 * The call `mcp` of the workflow language. A tool may do anything, so calling one is `unsafe` (hints of the server about it are not to be
 * trusted); everything else lists or reads.
 */
export function mcpConnector(options: McpConnectorOptions = {}): Connector {
  const http = options.http ?? httpClient();
  return defineConnector({
    name: "mcp",
    version: "1.0.0",
    functions: {
      mcp: {
        title: "Call a server of the Model Context Protocol",
        input: McpInput,
        output: z.custom<Json>(),
        effect: (input: JsonObject) => (input["method"] === "tools/call" ? "unsafe" : "read"),
        requestTimeoutMs: CALL_MS,
        settleMs: 0,
        run: async (given, attempt) => {
          const input = parseInput(McpInput, given);
          const limit = AbortSignal.timeout(Math.min(input.timeout ?? CALL_MS, 2 ** 31 - 1));
          const signal = AbortSignal.any([limit, attempt.signal]);
          const { transport } = input;
          try {
            const way =
              transport.http === undefined
                ? // The schema has made sure that it is one or the other.
                  await openStdio(transport.stdio as NonNullable<typeof transport.stdio>, attempt, signal)
                : await openHttp(transport.http, http, attempt, signal);
            return await callOnce(way, input, attempt);
          } catch (error) {
            if (!limit.aborted || !(error instanceof ConnectorError)) throw error;
            throw new ConnectorError("The MCP server did not answer in time.", { kind: "timeout", outcome: error.outcome, cause: error });
          }
        },
      },
    },
  });
}
