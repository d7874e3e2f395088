import { isUtf8 } from "node:buffer";
import { ConnectorError } from "@tutti/connector-kit";
import { isJsonObject, type Json, type JsonObject } from "@tutti/model";
import type { Outbound } from "./asyncapi-input.ts";

/** A message that came. The shape is the language's "AsyncAPI inbound message". */
export interface Inbound {
  readonly payload: Json;
  readonly headers: JsonObject;
  readonly correlationId?: string;
}

/** A message as it leaves. */
export interface Encoded {
  readonly body: Buffer;
  readonly contentType: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** As much as a value of a run may have; brokers have limits of their own, mostly lower. */
export const MESSAGE_BYTES_MAX = 16 * 1024 * 1024;

/**
 * Writes a message: text as it is when the content type is no JSON, everything else as JSON.
 *
 * @throws ConnectorError never-began for one that is too large or has a header that is no text, number or boolean.
 */
export function encodeMessage(message: Outbound, contentType: string): Encoded {
  const { payload } = message;
  const isText = typeof payload === "string" && !isJsonType(contentType);
  const body = payload === undefined ? Buffer.alloc(0) : Buffer.from(isText ? payload : JSON.stringify(payload));
  if (body.length > MESSAGE_BYTES_MAX) throw invalid(`The message has ${body.length} bytes; at most ${MESSAGE_BYTES_MAX} are sent.`);
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(message.headers)) {
    if (typeof value === "object") throw invalid(`The header "${name}" of the message is no text, number or boolean.`);
    headers[name] = scalarText(value);
  }
  return { body, contentType, headers };
}

/** Reads what came: JSON as data, other text as text, anything else as base64, nothing as null. */
export function decodePayload(body: Uint8Array, contentType: string | undefined): Json {
  if (body.length === 0) return null;
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.length);
  if (!isUtf8(bytes)) return bytes.toString("base64");
  const text = bytes.toString("utf8");
  if (contentType !== undefined && contentType !== "" && !isJsonType(contentType)) return text;
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}

function isJsonType(contentType: string): boolean {
  const type = contentType.split(";", 1)[0]?.trim().toLowerCase() ?? "";
  return type === "application/json" || type.endsWith("+json") || type === "text/json";
}

export function scalarText(value: Json): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Headers of a protocol as JSON: bytes as text, what JSON does not have as text. */
export function plainHeaders(given: Readonly<Record<string, unknown>>): JsonObject {
  return Object.fromEntries(
    Object.entries(given)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, plain(value)]),
  );
}

function plain(value: unknown): Json {
  if (value === null || typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (Buffer.isBuffer(value)) return isUtf8(value) ? value.toString("utf8") : value.toString("base64");
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map((item: unknown) => plain(item));
  if (typeof value === "object") return plainHeaders(value as Record<string, unknown>);
  return typeof value === "bigint" ? value.toString() : null;
}

/** The id that ties an answer to its question: a header of that name where the protocol has no field for it. */
export function correlationOf(headers: JsonObject): string | undefined {
  const name = Object.keys(headers).find((key) => /^correlation-?id$/i.test(key));
  const value = name === undefined ? undefined : headers[name];
  return typeof value === "string" ? value : undefined;
}

export function inbound(
  body: Uint8Array,
  contentType: string | undefined,
  headers: JsonObject,
  correlationId = correlationOf(headers),
): Inbound {
  return { payload: decodePayload(body, contentType), headers, ...(correlationId === undefined ? {} : { correlationId }) };
}

/** The message as data of a run. */
export function toJson(message: Inbound): JsonObject {
  return { ...message };
}

function invalid(message: string): ConnectorError {
  return new ConnectorError(message, { kind: "validation", outcome: "never-began" });
}

/** Whether a value of a binding is an object. */
export function asObject(value: Json | undefined): JsonObject {
  return value !== undefined && isJsonObject(value) ? value : {};
}
