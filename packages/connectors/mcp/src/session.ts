import { type Attempt, ConnectorError } from "@tutti/connector-kit";
import { isJsonObject, type Json, type JsonObject } from "@tutti/model";
import type { McpInput, Message } from "./mcp-input.ts";

/** A way to a server: requests and their answers, one after the other. */
export interface Transport {
  /** For messages: where the server is. */
  readonly target: string;
  /** Sends a request and gives its answer, whatever else the server says meanwhile. */
  request(message: Message): Promise<Message>;
  /** Sends a message that has no answer. */
  notify(message: Message): Promise<void>;
  /** The version that both sides speak from now on. */
  agreed(protocolVersion: string): void;
  close(): Promise<void>;
}

/** Versions whose messages are as this client takes them. */
const SPOKEN_VERSIONS: readonly string[] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];
/** JSON-RPC 2.0: the codes of a request that was refused before anything was done. */
const NOTHING_DONE_CODES = new Set([-32700, -32600, -32601, -32602]);
const CLIENT = { name: "tutti", version: "1.0.0" };

/**
 * Begins a session (`initialize`, as the specification wants it) and makes the one request of the call.
 *
 * @throws ConnectorError: whatever fails before the call's own request was sent is `never-began`.
 */
export async function callOnce(transport: Transport, input: McpInput, attempt: Attempt): Promise<Json> {
  try {
    await beforeCall(initialize(transport, input));
    const answer = await transport.request({ jsonrpc: "2.0", id: 2, method: input.method, params: input.parameters });
    attempt.log("info", `${input.method} at ${transport.target}`);
    return resultOf(answer, input, transport);
  } finally {
    await transport.close();
  }
}

async function initialize(transport: Transport, input: McpInput): Promise<void> {
  const params = { protocolVersion: input.protocolVersion, capabilities: {}, clientInfo: input.client ?? CLIENT };
  const answer = await transport.request({ jsonrpc: "2.0", id: 1, method: "initialize", params });
  const result = resultOf(answer, undefined, transport);
  const version = isJsonObject(result) ? result["protocolVersion"] : undefined;
  if (typeof version !== "string" || (version !== input.protocolVersion && !SPOKEN_VERSIONS.includes(version))) {
    throw new ConnectorError(
      `${transport.target} speaks the MCP version ${JSON.stringify(version ?? null)}; asked for was ${input.protocolVersion}.`,
      { kind: "configuration", outcome: "never-began" },
    );
  }
  transport.agreed(version);
  await transport.notify({ jsonrpc: "2.0", method: "notifications/initialized" });
}

/** Of the call itself nothing has been sent yet. */
async function beforeCall(preparation: Promise<void>): Promise<void> {
  try {
    await preparation;
  } catch (error) {
    if (!(error instanceof ConnectorError) || error.outcome === "never-began") throw error;
    throw new ConnectorError(error.message, {
      kind: error.errorKind,
      outcome: "never-began",
      retryable: error.retryable,
      ...(error.status === undefined ? {} : { status: error.status }),
      ...(error.detail === undefined ? {} : { detail: error.detail }),
      cause: error,
    });
  }
}

/** The result of an answer. A tool that says `isError` has failed: that is the call's error, with what the tool said as its detail. */
function resultOf(answer: Message, input: McpInput | undefined, { target }: Transport): Json {
  const { error } = answer;
  if (isJsonObject(error ?? null)) {
    const { code, message, data } = error as JsonObject;
    throw new ConnectorError(`${target} answered with error ${JSON.stringify(code ?? null)}: ${textOf(message)}.`, {
      kind: NOTHING_DONE_CODES.has(Number(code)) ? "validation" : "runtime",
      outcome: "answered",
      ...(data === undefined ? {} : { detail: data }),
    });
  }
  const result = answer["result"] ?? null;
  if (input?.method === "tools/call" && isJsonObject(result) && result["isError"] === true)
    throw new ConnectorError(`The tool ${textOf(input.parameters["name"])} of ${target} failed.`, {
      kind: "runtime",
      outcome: "answered",
      detail: result["content"] ?? null,
    });
  return result;
}

function textOf(value: Json | undefined): string {
  return typeof value === "string" ? value.replace(/\.$/, "") : JSON.stringify(value ?? null);
}

/** A text that should be a message. */
export function parseMessage(text: string): Message | undefined {
  try {
    const parsed = JSON.parse(text) as Json;
    return isJsonObject(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

/** Whether `message` is the answer to the request with this id. */
export function answers(message: Message | undefined, request: Message): message is Message {
  return message !== undefined && message["id"] === request["id"] && (message["result"] !== undefined || message["error"] !== undefined);
}

/** What a server asks of us (sampling, roots …) is refused; a ping is answered. */
export function replyTo(message: Message | undefined): Message | undefined {
  if (message === undefined || message["id"] === undefined || typeof message["method"] !== "string") return undefined;
  const head = { jsonrpc: "2.0", id: message["id"] };
  return message["method"] === "ping" ? { ...head, result: {} } : { ...head, error: { code: -32601, message: "not offered" } };
}
