import { z } from "zod";
import { Authentication } from "./authentication.ts";
import { AnyObject, choice, closed, exactlyOneOf, Integer, mapOf, notEmpty, open, textOr } from "./building-blocks.ts";
import { Endpoint, ExternalResource } from "./data-flow.ts";
import { subscriptionIterator } from "./event.ts";
import type { TaskListSchema } from "./task.ts";
import { taskBase } from "./task-base.ts";
import { Duration, GrpcHost, RuntimeExpression } from "./text.ts";

const OutputFormat = z.enum(["raw", "content", "response"]);
const TextMapOrExpression = textOr(RuntimeExpression, mapOf(z.string()));

const HttpArguments = closed({
  method: z.string(),
  endpoint: Endpoint,
  headers: TextMapOrExpression.optional(),
  body: z.unknown().optional(),
  query: TextMapOrExpression.optional(),
  output: OutputFormat.optional(),
  redirect: z.boolean().optional(),
});

const OpenApiArguments = closed({
  document: ExternalResource,
  operationId: z.string(),
  parameters: AnyObject.optional(),
  authentication: Authentication.optional(),
  output: OutputFormat.optional(),
  redirect: z.boolean().optional(),
});

const GrpcArguments = closed({
  proto: ExternalResource,
  service: closed({
    name: z.string(),
    host: GrpcHost,
    port: Integer.refine((port) => port >= 0 && port <= 65_535, { error: "must be a port number from 0 to 65535" })
      .meta({ type: "integer", minimum: 0, maximum: 65_535 })
      .optional(),
    authentication: Authentication.optional(),
  }),
  method: z.string(),
  arguments: AnyObject.optional(),
});

const Message = closed({ payload: AnyObject.optional(), headers: AnyObject.optional() });
const Consumption = exactlyOneOf(
  closed({
    for: Duration.optional(),
    amount: Integer.optional(),
    while: RuntimeExpression.optional(),
    until: RuntimeExpression.optional(),
  }),
  ["amount", "while", "until"],
);
const PROTOCOLS = [
  "amqp",
  "amqp1",
  "anypointmq",
  "googlepubsub",
  "http",
  "ibmmq",
  "jms",
  "kafka",
  "mercure",
  "mqtt",
  "mqtt5",
  "nats",
  "pulsar",
  "redis",
  "sns",
  "solace",
  "sqs",
  "stomp",
  "ws",
] as const;
function asyncApiArguments(tasks: TaskListSchema) {
  const fields = closed({
    document: ExternalResource,
    channel: z.string().optional(),
    operation: z.string().optional(),
    server: closed({ name: z.string(), variables: AnyObject.optional() }).optional(),
    protocol: z.enum(PROTOCOLS).optional(),
    message: Message.optional(),
    subscription: closed({
      filter: RuntimeExpression.optional(),
      consume: Consumption,
      foreach: subscriptionIterator(tasks).optional(),
    }).optional(),
    authentication: Authentication.optional(),
  });
  const ways = ["operation", "channel"].flatMap((target) => ["message", "subscription"].map((way) => ({ required: [target, way] })));
  return exactlyOneOf(exactlyOneOf(fields, ["operation", "channel"]), ["message", "subscription"]).meta({ oneOf: ways });
}

const A2A_METHODS = [
  "message/send",
  "message/stream",
  "tasks/get",
  "tasks/list",
  "tasks/cancel",
  "tasks/resubscribe",
  "tasks/pushNotificationConfig/set",
  "tasks/pushNotificationConfig/get",
  "tasks/pushNotificationConfig/list",
  "tasks/pushNotificationConfig/delete",
  "agent/getAuthenticatedExtendedCard",
] as const;
const A2aArguments = closed({
  agentCard: ExternalResource.optional(),
  server: Endpoint.optional(),
  method: z.enum(A2A_METHODS),
  parameters: textOr(z.string(), notEmpty(AnyObject)).optional(),
});

const McpTransport = exactlyOneOf(
  open({
    http: open({ endpoint: Endpoint, headers: mapOf(z.string()).optional() }).optional(),
    stdio: open({ command: z.string(), arguments: z.array(z.string()).optional(), environment: mapOf(z.string()).optional() }).optional(),
    options: mapOf(z.string()).optional(),
  }),
  ["http", "stdio"],
);
const McpArguments = open({
  protocolVersion: z.string().optional(),
  method: z.enum([
    "tools/list",
    "tools/call",
    "prompts/list",
    "prompts/get",
    "resources/list",
    "resources/read",
    "resources/templates/list",
  ]),
  parameters: textOr(z.string(), AnyObject).optional(),
  timeout: Duration.optional(),
  transport: McpTransport,
  client: open({ name: z.string(), version: z.string() }).optional(),
});

/** The calls that the language itself defines; every other name is a function. */
export const BUILT_IN_CALLS = ["http", "openapi", "grpc", "asyncapi", "a2a", "mcp"] as const;

const FunctionName = z
  .string()
  .refine((name) => !(BUILT_IN_CALLS as readonly string[]).includes(name))
  .meta({ not: { enum: [...BUILT_IN_CALLS] } });

/** The calls. Lists of tasks are handed in, since they contain calls. */
export function callTask(tasks: TaskListSchema) {
  return choice(
    [
      closed({ ...taskBase, call: z.literal("http"), with: HttpArguments }),
      closed({ ...taskBase, call: z.literal("openapi"), with: OpenApiArguments }),
      closed({ ...taskBase, call: z.literal("grpc"), with: GrpcArguments }),
      closed({ ...taskBase, call: z.literal("asyncapi"), with: asyncApiArguments(tasks) }),
      closed({ ...taskBase, call: z.literal("a2a"), with: A2aArguments }),
      closed({ ...taskBase, call: z.literal("mcp"), with: McpArguments }),
      closed({ ...taskBase, call: FunctionName, with: AnyObject.optional() }),
    ],
    (value) => {
      // A task is asked here only when it has `call`; any other value of it is a function's name or no text at all.
      const call = (value as { readonly call?: unknown }).call;
      const builtIn = BUILT_IN_CALLS.findIndex((name) => name === call);
      return builtIn < 0 ? BUILT_IN_CALLS.length : builtIn;
    },
  );
}
