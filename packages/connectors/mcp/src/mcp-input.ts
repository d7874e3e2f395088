import { Endpoint } from "@tutti/connector-http";
import { NotEmptyText, z } from "@tutti/connector-kit";
import { durationMs, type Json, type JsonObject } from "@tutti/model";

const JsonValue = z.custom<Json>((value) => value !== undefined);
const Duration = JsonValue.refine((value) => durationMs(value) !== undefined, "is a duration such as PT30S").transform(
  (value) => durationMs(value) ?? 0,
);
const TextMap = z.record(z.string(), z.string());

/** The arguments of `call: mcp`. The language leaves them open to other members. */
export const McpInput = z.object({
  /** The specification's default. */
  protocolVersion: NotEmptyText.default("2025-06-18"),
  method: z.enum([
    "tools/list",
    "tools/call",
    "prompts/list",
    "prompts/get",
    "resources/list",
    "resources/read",
    "resources/templates/list",
  ]),
  parameters: z.record(z.string(), JsonValue).default({}),
  timeout: Duration.optional(),
  transport: z
    .object({
      http: z.object({ endpoint: Endpoint, headers: TextMap.default({}) }).optional(),
      stdio: z.object({ command: NotEmptyText, arguments: z.array(z.string()).default([]), environment: TextMap.default({}) }).optional(),
    })
    .refine((transport) => (transport.http === undefined) !== (transport.stdio === undefined), "has either http or stdio"),
  client: z.object({ name: z.string(), version: z.string() }).optional(),
});
export type McpInput = z.infer<typeof McpInput>;
export type HttpTransport = NonNullable<McpInput["transport"]["http"]>;
export type StdioTransport = NonNullable<McpInput["transport"]["stdio"]>;

/** A JSON-RPC 2.0 message, in either direction. */
export type Message = JsonObject;
