import { ConnectorError } from "@tutti/connector-kit";
import { type ErrorKind, isJsonObject, type Json } from "@tutti/model";

/** What of an error's text is told on; a service says it in a sentence. */
const EXCERPT_CHARACTERS_MAX = 300;
/** Besides 5xx: answers that say that the server can't now. */
const BUSY_STATUSES: ReadonlySet<number> = new Set([408, 425, 429]);
/** Answers that say that the request is wrong. */
const WRONG_STATUSES: ReadonlySet<number> = new Set([400, 404, 409, 422]);

/**
 * The error that a complete answer without success is, for a connector whose system speaks HTTP: its kind, and whether the same may work later, follow
 * from the status.
 */
export function refusalOf(message: string, status: number): ConnectorError {
  return new ConnectorError(message, {
    kind: kindOf(status),
    outcome: "answered",
    retryable: status >= 500 || BUSY_STATUSES.has(status),
    status,
  });
}

/**
 * The service's own words in an answer, to be put behind what it did not do: `: No such zone.`, or a full stop when it says nothing.
 *
 * @param member The member of the body that says it; a body that is no such object is taken as text.
 */
export function reasonIn(body: string, member: string, access: { masked(text: string): string }): string {
  const shown = excerptOf(wordsOf(body, member), access);
  return shown === "" ? "." : `: ${shown}${/[.!?]$/.test(shown) ? "" : "."}`;
}

/** The text on one line with its secrets masked, short enough to be told. */
export function excerptOf(text: string, access: { masked(text: string): string }): string {
  // Masked before it is cut: half a secret is not recognised any more.
  return access.masked(text).replaceAll(/\s+/g, " ").trim().slice(0, EXCERPT_CHARACTERS_MAX);
}

function wordsOf(body: string, member: string): string {
  try {
    const parsed = JSON.parse(body) as Json;
    if (isJsonObject(parsed) && typeof parsed[member] === "string") return parsed[member];
  } catch {
    // Older versions, and proxies, say it as plain text.
  }
  return body;
}

function kindOf(status: number): ErrorKind {
  if (status === 401) return "authentication";
  if (status === 403) return "authorization";
  return WRONG_STATUSES.has(status) ? "validation" : "communication";
}
