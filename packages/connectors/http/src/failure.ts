import { ConnectorError, NetworkRefusedError } from "@tutti/connector-kit";
import { certificateProblem } from "./certificate-problem.ts";

/** Error codes of name look-up, route and connection set-up: no byte of the request had left. Sources: Node's dns and net, undici. */
const NEVER_SENT_CODES = new Set([
  "ENOTFOUND",
  "EAI_AGAIN",
  "EAI_FAIL",
  "EAI_NODATA",
  "EAI_NONAME",
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EADDRNOTAVAIL",
  "UND_ERR_CONNECT_TIMEOUT",
  "ERR_SSL_WRONG_VERSION_NUMBER",
]);

/** What Node says when a connection ends before TLS was agreed; its code alone (ECONNRESET) could also mean a lost answer. */
const BEFORE_TLS = "before secure TLS connection was established";

/** The fetch standard refuses ports of other protocols (25, 6000 …) before it connects. */
const BAD_PORT = "bad port";

/** Retrying does not help against a wrong name or protocol. */
const PERMANENT_CODES = new Set(["ENOTFOUND", "EAI_NONAME", "ERR_SSL_WRONG_VERSION_NUMBER"]);

/**
 * Turns a failed fetch into what is known about the request.
 *
 * `never-began` only for failures that provably come before the first byte of the request; everything else may have had its effect.
 */
export function describeNetworkFailure(error: unknown, target: string): ConnectorError {
  const causes = [...causesOf(error)];
  const permanent = permanentRefusal(causes, target, error);
  if (permanent !== undefined) return permanent;
  const code = causes.map(codeOf).find((found) => found !== undefined);
  // Several addresses are tried one after the other: never sent only if none of them was reached.
  const telling = causes.filter(
    (cause) => !(cause instanceof AggregateError) && (codeOf(cause) !== undefined || cause.message === BAD_PORT),
  );
  const neverSent = telling.length > 0 && telling.every(isNeverSent);
  const last = causes.at(-1);
  const reason = last?.message ?? String(error);
  const plain = neverSent && last !== undefined ? plainWords(last) : undefined;
  return new ConnectorError(
    neverSent ? `${target} can't be reached: ${plain ?? reason}.` : `The connection to ${target} was lost: ${reason}.`,
    {
      kind: "communication",
      outcome: neverSent ? "never-began" : "unknown",
      retryable: !(neverSent && (reason === BAD_PORT || (code !== undefined && PERMANENT_CODES.has(code)))),
      cause: error,
    },
  );
}

/** The operator's rules, or a certificate, keep the request from leaving: it is written only after the handshake. Trying again changes neither. */
function permanentRefusal(causes: readonly Error[], target: string, error: unknown): ConnectorError | undefined {
  const refused = causes.find((cause) => cause instanceof NetworkRefusedError);
  if (refused !== undefined) return new ConnectorError(refused.message, { kind: "authorization", outcome: "never-began", cause: error });
  for (const cause of causes) {
    const problem = certificateProblem(cause, target);
    if (problem !== undefined) return new ConnectorError(problem, { kind: "communication", outcome: "never-began", cause: error });
  }
  return undefined;
}

/** What a tired person makes of the commonest failures; undefined where the system's own words have to do. */
function plainWords(error: Error): string | undefined {
  if (error.message === BAD_PORT) return "this port belongs to another protocol, and HTTP never uses it; correct the URL";
  switch (codeOf(error)) {
    case "ENOTFOUND":
    case "EAI_NONAME":
      return `no name server knows this name; correct it, or the name servers of this machine (${error.message})`;
    case "EAI_AGAIN":
      return `the name servers of this machine do not answer (${error.message})`;
    case "ECONNREFUSED":
      return `nothing listens there; start the service, or correct host and port (${error.message})`;
    case "EHOSTUNREACH":
    case "ENETUNREACH":
      return `there is no way to this address from here; look at network and firewall (${error.message})`;
    case "ETIMEDOUT":
    case "UND_ERR_CONNECT_TIMEOUT":
      return `it does not answer; is it up, and does a firewall stand between (${error.message})`;
    default:
      return undefined;
  }
}

function isNeverSent(error: Error): boolean {
  const code = codeOf(error) ?? "";
  // A failing connect() is one, whatever its code (ETIMEDOUT, ECONNRESET, EACCES …).
  const connecting = "syscall" in error && error.syscall === "connect";
  return connecting || error.message === BAD_PORT || NEVER_SENT_CODES.has(code) || error.message.includes(BEFORE_TLS);
}

function codeOf(error: Error): string | undefined {
  return "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** How deep a chain of causes is followed. */
const CAUSES_MAX = 16;

function causesOf(error: unknown): Error[] {
  const found: Error[] = [];
  const open: unknown[] = [error];
  while (open.length > 0 && found.length < CAUSES_MAX) {
    const next = open.shift();
    if (!(next instanceof Error)) continue;
    found.push(next);
    if (next instanceof AggregateError) open.push(...(next.errors as unknown[]));
    open.push(next.cause);
  }
  return found;
}
