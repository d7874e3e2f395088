import { AppError, ERROR_CATALOGUE, type ErrorCode, isJsonObject, type Json, type JsonObject } from "@tutti/model";
import type { DriveMode } from "./service.ts";

/**
 * The language on the socket: JSON texts, one a line, both ways.
 *
 * The owner speaks first with `Hello`. The client sends `Request`s with ids of its own; the owner answers each with one `Answer`, streams with
 * many `next` and one `done`. An owner that stops says `Bye`, refuses what comes after it, and waits for the client to close: so no request gets lost
 * between the two. A client that loses interest sends `Cancel`; a closed connection cancels everything it asked for.
 */
export const PROTOCOL_VERSION = 1;

/** A start request carries an input of up to 16 MiB, which JSON escapes may double. */
export const REQUEST_BYTES_MAX = 40 * 1024 * 1024;
/** A view of a run of 100,000 tasks with their outputs. */
export const ANSWER_BYTES_MAX = 512 * 1024 * 1024;
/** Connections at a time: each is a `tutti` process of the same user. */
export const CONNECTIONS_MAX = 256;
/** Requests of one connection that are not answered yet. */
export const REQUESTS_MAX = 64;
/** How long a live owner may take to say hello, on a slow disk in the middle of a sync; one that doesn't is stopped, hung, or not Tutti. */
export const HELLO_TIMEOUT_MS = 15_000;
/** How long a process may own the directory without a socket: while it starts, with a migration perhaps, or stops. */
export const OWNER_CHANGE_MS = 60_000;

export interface Hello {
  readonly hello: { readonly protocol: number; readonly version: string; readonly pid: number; readonly drive: DriveMode };
}
export interface Bye {
  readonly bye: true;
}
export interface Request {
  readonly id: number;
  readonly call: string;
  readonly with: JsonObject;
}
export interface Cancel {
  readonly id: number;
  readonly cancel: true;
}
export type Answer =
  | { readonly id: number; readonly result?: Json }
  | { readonly id: number; readonly next: Json }
  | { readonly id: number; readonly done: true }
  | { readonly id: number; readonly error: WireError };

export interface WireError {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
  readonly details: JsonObject;
}

/** Reads what a client sent. A frame that is neither request nor cancel is undefined: the connection is closed, since nothing more can be understood. */
export function parseClientFrame(text: string): Request | Cancel | undefined {
  const frame = parseJson(text);
  if (!isJsonObject(frame)) return undefined;
  const { id, call, cancel } = frame;
  if (typeof id !== "number" || !Number.isSafeInteger(id) || id < 0) return undefined;
  if (cancel === true) return { id, cancel };
  const given = frame["with"] ?? {};
  return typeof call === "string" && isJsonObject(given) ? { id, call, with: given } : undefined;
}

/** Reads what an owner sent. */
export function parseOwnerFrame(text: string): Hello | Bye | Answer | undefined {
  const frame = parseJson(text);
  if (!isJsonObject(frame)) return undefined;
  // The owner is a process of the same user and the same program; its hello has said the version of this protocol.
  if (isJsonObject(frame["hello"]) && typeof frame["hello"]["protocol"] === "number") return frame as unknown as Hello;
  if (frame["bye"] === true) return { bye: true };
  return typeof frame["id"] === "number" ? (frame as unknown as Answer) : undefined;
}

/** What a failure looks like on the wire. What is not of the catalogue is a bug: its message goes over, its stack stays in the owner's log. */
export function toWireError(error: unknown): WireError {
  if (error instanceof AppError) return { code: error.code, message: error.message, hint: error.hint, details: error.details };
  const message = error instanceof Error ? error.message : String(error);
  return {
    code: "internal",
    message,
    hint: "This is a bug in Tutti; the log of the process that owns the data directory has more.",
    details: {},
  };
}

/** The failure that an owner reported, as it was thrown there. */
export function fromWireError(error: WireError): Error {
  if (!Object.hasOwn(ERROR_CATALOGUE, error.code)) return new Error(error.message);
  // Checked to be a code of this version's catalogue the line before.
  return new AppError(error.code as ErrorCode, error.message, { hint: error.hint, details: error.details });
}

function parseJson(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}
