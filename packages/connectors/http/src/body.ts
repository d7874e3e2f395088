import { isUtf8 } from "node:buffer";
import type { Json, JsonObject } from "@tutti/model";
import { isJsonObject } from "@tutti/model";

const FORM = "application/x-www-form-urlencoded";

/**
 * Writes a request's body: text as it is, anything else as JSON, an object under a form's content type as a form. The content type is filled
 * in when the author gave none. A null body is none: `${ .body }` of an input without one.
 */
export function encodeBody(body: Json | undefined, headers: Headers): string | undefined {
  if (body === undefined || body === null) return undefined;
  if (typeof body === "string") {
    if (!headers.has("content-type")) headers.set("content-type", "text/plain;charset=UTF-8");
    return body;
  }
  if (isJsonObject(body) && mediaType(headers) === FORM) return encodeForm(body);
  if (!headers.has("content-type")) headers.set("content-type", "application/json");
  return JSON.stringify(body);
}

/** `a=1&b=2&b=3`: arrays repeat their name, objects travel as JSON, null is left out. */
export function encodeForm(fields: JsonObject): string {
  const form = new URLSearchParams();
  appendFields(form, fields);
  return form.toString();
}

export function appendFields(target: URLSearchParams, fields: JsonObject): void {
  for (const [name, value] of Object.entries(fields)) {
    for (const item of Array.isArray(value) ? (value as readonly Json[]) : [value]) {
      if (item !== null) target.append(name, scalarText(item));
    }
  }
}

/** A value inside a URL, header or form. */
export function scalarText(value: Json): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/**
 * Reads an answer's body by its content type: JSON as data, text as text, anything else as base64, nothing as null.
 *
 * JSON that does not parse comes as its text: the target has answered, perhaps after acting, and an error here would hide what it said.
 */
export function decodeContent(body: Buffer, headers: Headers): Json {
  if (body.length === 0) return null;
  const type = mediaType(headers);
  if (isJsonType(type)) return parseJson(decodeText(body, headers));
  return isTextType(type) ? decodeText(body, headers) : body.toString("base64");
}

/** What an error's body says, without its secrets and cut to `charactersMax`; undefined when it is no text. */
export function excerpt(
  { body, headers }: { readonly body: Buffer; readonly headers: Headers },
  charactersMax: number,
  masked: (text: string) => string,
): string | undefined {
  const type = mediaType(headers);
  const isText = isJsonType(type) || isTextType(type) || (type === "" && isUtf8(body));
  if (!isText || body.length === 0) return undefined;
  const text = masked(decodeText(body, headers).trim());
  return text.length <= charactersMax ? text : `${text.slice(0, charactersMax)}…`;
}

function mediaType(headers: Headers): string {
  return (headers.get("content-type") ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
}

function isJsonType(type: string): boolean {
  return type === "application/json" || type.endsWith("+json") || type === "text/json";
}

function isTextType(type: string): boolean {
  return type.startsWith("text/") || type.endsWith("+xml") || ["application/xml", "application/yaml", FORM].includes(type);
}

const CHARSET = /;\s*charset\s*=\s*"?([^\s";]+)/i;

function decodeText(body: Buffer, headers: Headers): string {
  const label = CHARSET.exec(headers.get("content-type") ?? "")?.[1] ?? "utf-8";
  try {
    return new TextDecoder(label).decode(body);
  } catch {
    // An unknown charset: UTF-8 is the best guess and never fails.
    return new TextDecoder().decode(body);
  }
}

function parseJson(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}
