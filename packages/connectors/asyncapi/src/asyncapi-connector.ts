import { type HttpClient, httpClient } from "@tutti/connector-http";
import { type Connector, defineConnector, parseInput, z } from "@tutti/connector-kit";
import type { Json, JsonObject } from "@tutti/model";
import { asyncapiDocuments } from "./asyncapi-document.ts";
import { AsyncapiInput } from "./asyncapi-input.ts";
import { consume } from "./consume.ts";
import { encodeMessage } from "./message.ts";
import { type AsyncapiLimits, DEFAULT_LIMITS, type Exchange, type Protocol } from "./protocol.ts";
import { type Family, resolveTarget } from "./target.ts";

export interface AsyncapiConnectorOptions {
  /** Shared with the other calls of the language: way out, limits, access tokens. */
  readonly http?: HttpClient;
  readonly limits?: Partial<AsyncapiLimits>;
}

/** The clients of brokers are loaded when the first call needs them: a process that speaks to none does not pay for them. */
const LOADERS: Readonly<Record<Family, () => Promise<Protocol>>> = {
  http: async () => (await import("./protocols/http.ts")).httpProtocol,
  ws: async () => (await import("./protocols/ws.ts")).wsProtocol,
  mqtt: async () => (await import("./protocols/mqtt.ts")).mqttProtocol,
  amqp: async () => (await import("./protocols/amqp.ts")).amqpProtocol,
  nats: async () => (await import("./protocols/nats.ts")).natsProtocol,
};

/**
 * The call `asyncapi` of the workflow language.
 *
 * Publishing is `unsafe`: brokers take a second message of the same id (JetStream within its window excepted), so an author who knows that
 * consumers look at the id says `idempotent`. Subscribing is `read`: messages that were not stored with the run go back to a broker that
 * lends them (AMQP, JetStream); the other protocols keep none for anybody who is not listening.
 */
export function asyncapiConnector(options: AsyncapiConnectorOptions = {}): Connector {
  const http = options.http ?? httpClient();
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const documents = asyncapiDocuments(http);
  return defineConnector({
    name: "asyncapi",
    version: "1.0.0",
    functions: {
      asyncapi: {
        title: "Publish a message, or subscribe to messages, as an AsyncAPI document describes",
        input: AsyncapiInput,
        output: z.custom<Json>(),
        effect: (input: JsonObject) => (input["subscription"] === undefined ? "unsafe" : "read"),
        requestTimeoutMs: limits.connectMs + limits.acknowledgeMs,
        settleMs: 0,
        run: async (given, attempt) => {
          const input = parseInput(AsyncapiInput, given);
          const target = resolveTarget(await documents.load(input.document.endpoint, attempt), input, attempt.taskInput);
          // HTTP has its own headers for credentials; the others log in with name and password, or a token.
          const isHttp = target.family === "http" || target.family === "ws";
          const { authentication } = input;
          const credentials =
            authentication === undefined || isHttp
              ? undefined
              : await http.authenticator.plainCredentials(authentication, `${target.family}://${target.host}`, attempt);
          const exchange: Exchange = { target, attempt, credentials, authentication, http, limits };
          const protocol = await LOADERS[target.family]();
          if (input.message === undefined)
            // The schema has made sure that it is one or the other.
            return consume(
              await protocol.subscribe(exchange),
              input.subscription as NonNullable<typeof input.subscription>,
              attempt,
              limits,
            );
          const answer = await protocol.publish(exchange, encodeMessage(input.message, target.contentType));
          attempt.log("info", `published to ${target.address} at ${target.host}`);
          return { messageId: attempt.token, channel: target.address, ...answer };
        },
      },
    },
  });
}
