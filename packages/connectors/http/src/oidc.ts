import { ConnectorError } from "@tutti/connector-kit";
import { isJsonObject, type Json } from "@tutti/model";
import { type Answer, exchange, type ExchangeLimits, type Fetch } from "./exchange.ts";
import type { Oauth2Settings, OidcSettings } from "./http-input.ts";
import { unlessAborted } from "./unless-aborted.ts";

/** A configuration changes when an authority is rebuilt; five minutes spare a loop of a thousand calls 999 requests. */
const KEPT_FOR_MS = 5 * 60 * 1000;
const AUTHORITIES_MAX = 64;
/** The document is a few KiB. */
const DOCUMENT_BYTES_MAX = 256 * 1024;
const PATH = "/.well-known/openid-configuration";

interface Kept {
  readonly endpoint: Promise<URL>;
  readonly untilMs: number;
}

/** Finds out where an OpenID Connect authority issues tokens. Source: OpenID Connect Discovery 1.0, section 4. */
export class Discovery {
  readonly #send: Fetch;
  readonly #limits: ExchangeLimits;
  readonly #nowMs: () => number;
  readonly #kept = new Map<string, Kept>();

  constructor(deps: { readonly send: Fetch; readonly limits: ExchangeLimits; readonly nowMs: () => number }) {
    this.#send = deps.send;
    this.#limits = { ...deps.limits, bodyBytesMax: DOCUMENT_BYTES_MAX };
    this.#nowMs = deps.nowMs;
  }

  /**
   * The settings as OAuth2 has them, with the token endpoint that the authority names. Attempts that ask at the same time share one request.
   *
   * @throws ConnectorError never-began: the call itself was not sent.
   */
  async settings(given: OidcSettings, signal: AbortSignal): Promise<Oauth2Settings> {
    const endpoint = await unlessAborted(this.#tokenEndpoint(given.authority), signal);
    return { ...given, endpoints: { token: endpoint.href } };
  }

  #tokenEndpoint(authority: string): Promise<URL> {
    const kept = this.#kept.get(authority);
    if (kept !== undefined && kept.untilMs > this.#nowMs()) return kept.endpoint;
    const endpoint = this.#discover(authority);
    this.#kept.delete(authority);
    if (this.#kept.size >= AUTHORITIES_MAX) this.#kept.delete(this.#kept.keys().next().value ?? "");
    this.#kept.set(authority, { endpoint, untilMs: this.#nowMs() + KEPT_FOR_MS });
    // A failure is nothing to keep: the next attempt asks again.
    endpoint.catch(() => this.#kept.delete(authority));
    return endpoint;
  }

  async #discover(authority: string): Promise<URL> {
    const issuer = authority.replace(/\/+$/, "");
    const url = httpUrl(`${issuer}${PATH}`);
    if (url === undefined) throw refusal(`"${authority}" is no URL of an OpenID Connect authority.`, "configuration");
    const headers = new Headers({ accept: "application/json" });
    const sent = { method: "GET", url, headers, body: undefined, followRedirects: false };
    const answer = await exchange(this.#send, sent, { ...this.#limits, signal: new AbortController().signal }).catch((error: unknown) => {
      throw unreachable(url, error);
    });
    const document = read(answer, url);
    // Else whoever answers here could speak for another authority (OpenID Connect Discovery 1.0, section 4.3).
    const named = document["issuer"];
    if (typeof named !== "string" || named.replace(/\/+$/, "") !== issuer) {
      throw refusal(
        `${url.host} says it is the issuer ${shown(named)}, and the authority is ${issuer}: they must be the same.`,
        "authentication",
      );
    }
    const endpoint = httpUrl(document["token_endpoint"]);
    if (endpoint === undefined) throw refusal(`The configuration of ${url.host} names no token endpoint.`, "authentication");
    if (url.protocol === "https:" && endpoint.protocol !== "https:") {
      throw refusal(`${url.host} wants credentials to be sent without encryption, to ${endpoint.origin}.`, "authentication");
    }
    return endpoint;
  }
}

function read(answer: Answer, url: URL): Readonly<Record<string, Json>> {
  if (answer.status !== 200) {
    const isBroken = answer.status >= 500 || answer.status === 429;
    throw new ConnectorError(
      `${url.origin}${url.pathname} answered ${answer.status}; an OpenID Connect authority has its configuration there.`,
      {
        kind: isBroken ? "communication" : "authentication",
        outcome: "never-began",
        retryable: isBroken,
      },
    );
  }
  try {
    const parsed = JSON.parse(answer.body.toString("utf8")) as Json;
    if (isJsonObject(parsed)) return parsed;
  } catch {
    // Told below: what was found is no configuration, whatever it is.
  }
  throw refusal(`What lies at ${url.origin}${url.pathname} is no JSON object.`, "authentication");
}

function unreachable(url: URL, error: unknown): ConnectorError {
  const message = error instanceof Error ? error.message : String(error);
  const isKnown = error instanceof ConnectorError;
  return new ConnectorError(`The configuration of ${url.host} could not be read: ${message}`, {
    kind: isKnown ? error.errorKind : "communication",
    outcome: "never-began",
    retryable: isKnown ? error.retryable : true,
    cause: error,
  });
}

function refusal(message: string, kind: "authentication" | "configuration"): ConnectorError {
  return new ConnectorError(message, { kind, outcome: "never-began" });
}

function httpUrl(text: Json | undefined): URL | undefined {
  const url = typeof text === "string" && URL.canParse(text) ? new URL(text) : undefined;
  return url?.protocol === "https:" || url?.protocol === "http:" ? url : undefined;
}

/** What another side says about itself; the runtime cuts messages, after it has masked them. */
function shown(value: Json | undefined): string {
  return JSON.stringify(value ?? null);
}
