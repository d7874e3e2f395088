import { ConnectorError, type FailureOutcome } from "@tutti/connector-kit";
import { type ErrorKind, isJsonObject } from "@tutti/model";

/** What of PostgreSQL's words is told on; it says what is wrong in a sentence or two. */
const EXCERPT_CHARACTERS_MAX = 400;

interface Meaning {
  readonly kind: ErrorKind;
  readonly retryable: boolean;
  readonly wayOut?: string;
}

/** By code or, where no code fits, by its class: the first two characters. */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  "08": { kind: "communication", retryable: true },
  "25006": {
    kind: "validation",
    retryable: false,
    wayOut: "This only reads: use statement.run for what changes something, and a server that is no standby.",
  },
  "28": { kind: "authentication", retryable: false, wayOut: "Correct user and password of the provider, or pg_hba.conf." },
  "40": { kind: "communication", retryable: true },
  "42501": { kind: "authorization", retryable: false, wayOut: "Give the provider's role the right to it, or take another one." },
  "53": { kind: "communication", retryable: true },
  "55006": {
    kind: "communication",
    retryable: true,
    wayOut: "Somebody works with it: end these sessions, or use force where there is one.",
  },
  "55P03": { kind: "communication", retryable: true, wayOut: "Others hold it: try again later." },
  "57014": { kind: "timeout", retryable: true, wayOut: "It took too long, or somebody has cancelled it." },
  "57": { kind: "communication", retryable: true },
  "58": { kind: "communication", retryable: true },
  // `tuple concurrently updated`: two changes of one object at the same time.
  XX: { kind: "communication", retryable: true },
};

/** What PostgreSQL answered, as an error of the call. */
export function serverFailure(
  error: Error & { readonly code: string; readonly severity: string; readonly detail?: string; readonly hint?: string },
  about: { readonly provider: string; readonly masked: (text: string) => string; readonly outcome: FailureOutcome },
): ConnectorError {
  const meaning = MEANINGS[error.code] ?? MEANINGS[error.code.slice(0, 2)] ?? { kind: "validation", retryable: false };
  const words = [error.message, error.detail, error.hint].filter((each) => each !== undefined && each !== "").join(" – ");
  // Masked before it is cut.
  const said = about.masked(words).replaceAll(/\s+/g, " ").trim().slice(0, EXCERPT_CHARACTERS_MAX);
  const wayOut = meaning.wayOut === undefined ? "" : ` ${meaning.wayOut}`;
  return new ConnectorError(`PostgreSQL of provider ${about.provider} answers: ${said} (${error.code}).${wayOut}`, {
    kind: meaning.kind,
    outcome: about.outcome,
    retryable: meaning.retryable,
    detail: { sqlState: error.code },
    // Not as its cause: what it holds has not been masked.
  });
}

/** Whether PostgreSQL answered with one of these codes. */
export function hasSqlState(error: unknown, states: ReadonlySet<string>): boolean {
  if (!(error instanceof ConnectorError) || error.detail === undefined || !isJsonObject(error.detail)) return false;
  const state = error.detail["sqlState"];
  return typeof state === "string" && states.has(state);
}
