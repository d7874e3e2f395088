import { createHash } from "node:crypto";
import { type Attempt, ConnectorError } from "@tutti/connector-kit";
import { isJsonObject, type Json, type JsonObject } from "@tutti/model";
import { encodeForm, excerpt } from "./body.ts";
import { type Answer, exchange, type ExchangeLimits, type Fetch } from "./exchange.ts";
import type { Oauth2Settings } from "./http-input.ts";
import { unlessAborted } from "./unless-aborted.ts";

export interface AccessToken {
  /** As the authority spells it; `Bearer` unless it says otherwise. */
  readonly type: string;
  readonly value: string;
}

/** What is done with secrets in texts of others. */
type Redaction = Pick<Attempt, "mask" | "masked">;

/** Attempts that wait for one token share the request of the first. */
interface TokenOrder {
  readonly settings: Oauth2Settings;
  readonly redaction: Redaction;
}

interface KeptToken extends AccessToken {
  readonly expiresAtMs: number;
  readonly refreshToken: string | undefined;
}

/** A token that ends while the request is under way is refused by the target: renew it this much earlier. */
const EXPIRY_MARGIN_MS = 30_000;
/** RFC 6749 lets an authority leave `expires_in` out; such a token is kept briefly, and renewed when the target answers 401. */
const UNKNOWN_LIFETIME_S = 60;
/** Settings are few; the bound is against documents that compute them. */
const TOKENS_MAX = 256;
/** An answer with a token is small. */
const TOKEN_BYTES_MAX = 256 * 1024;
const EXCERPT_CHARACTERS_MAX = 512;
const TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/** Fetches access tokens and keeps them until shortly before they end. Keys are digests of the settings, so that no secret is a key. */
export class TokenSource {
  readonly #send: Fetch;
  readonly #limits: ExchangeLimits;
  readonly #nowMs: () => number;
  readonly #kept = new Map<string, KeptToken>();
  readonly #underWay = new Map<string, Promise<KeptToken>>();

  constructor(deps: { readonly send: Fetch; readonly limits: ExchangeLimits; readonly nowMs: () => number }) {
    this.#send = deps.send;
    this.#limits = { ...deps.limits, bodyBytesMax: TOKEN_BYTES_MAX };
    this.#nowMs = deps.nowMs;
  }

  /**
   * A token for these settings, kept or new. Attempts that ask at the same time share one request; the signal ends only the caller's wait.
   *
   * @throws ConnectorError never-began.
   */
  async token(
    settings: Oauth2Settings,
    attempt: Redaction & Pick<Attempt, "signal">,
    how: { readonly renew: boolean },
  ): Promise<AccessToken> {
    const key = createHash("sha256").update(JSON.stringify(settings)).digest("base64");
    const kept = this.#kept.get(key);
    if (kept !== undefined && !how.renew && kept.expiresAtMs > this.#nowMs()) return kept;
    this.#kept.delete(key);
    const pending = this.#underWay.get(key) ?? this.#fetchShared(key, { settings, redaction: attempt }, kept?.refreshToken);
    return unlessAborted(pending, attempt.signal);
  }

  #fetchShared(key: string, order: TokenOrder, refreshToken: string | undefined): Promise<KeptToken> {
    const pending = this.#renew(order, refreshToken)
      .then((token) => {
        if (this.#kept.size >= TOKENS_MAX) this.#kept.delete(this.#kept.keys().next().value ?? "");
        this.#kept.set(key, token);
        return token;
      })
      .finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, pending);
    return pending;
  }

  async #renew(order: TokenOrder, refreshToken: string | undefined): Promise<KeptToken> {
    if (refreshToken !== undefined) {
      try {
        return await this.#request(order, { grant_type: "refresh_token", refresh_token: refreshToken });
      } catch (error) {
        // A refresh token may end as well: then the grant itself is used again.
        if (!(error instanceof ConnectorError) || error.errorKind !== "authentication") throw error;
      }
    }
    return this.#request(order, grantFields(order.settings));
  }

  async #request({ settings, redaction }: TokenOrder, grant: Record<string, Json>): Promise<KeptToken> {
    const url = tokenUrl(settings);
    const { fields, authorization } = clientFields(settings);
    const all: JsonObject = { ...grant, ...scopeFields(settings), ...fields };
    const isForm = settings.request.encoding === "application/x-www-form-urlencoded";
    const headers = new Headers({ accept: "application/json", "content-type": settings.request.encoding });
    if (authorization !== undefined) headers.set("authorization", authorization);
    const body = isForm ? encodeForm(all) : JSON.stringify(all);
    const sent = { method: "POST", url, headers, body, followRedirects: false };
    const answer = await exchange(this.#send, sent, { ...this.#limits, signal: NEVER_ABORTED }).catch((error: unknown) => {
      throw asNeverBegan(error, url);
    });
    if (answer.status !== 200 && answer.status !== 201) throw refusal(answer, url, redaction);
    const token = readToken(answer, url, settings, this.#nowMs());
    // Whoever holds it is the client: an authority that echoes its requests must not put it into a record.
    if (token.refreshToken !== undefined) redaction.mask(token.refreshToken);
    return token;
  }
}

const NEVER_ABORTED = new AbortController().signal;

/** Losing the token request loses nothing of the call: it was not sent yet, and fetching one more token harms nobody. */
function asNeverBegan(error: unknown, url: URL): ConnectorError {
  const message = error instanceof Error ? error.message : String(error);
  const isKnown = error instanceof ConnectorError;
  return new ConnectorError(`No token from ${url.host}: ${message}`, {
    kind: isKnown ? error.errorKind : "communication",
    outcome: "never-began",
    retryable: isKnown ? error.retryable : true,
    cause: error,
  });
}

function readToken(answer: Answer, url: URL, settings: Oauth2Settings, nowMs: number): KeptToken {
  const content = parseObject(answer.body);
  const value = content?.["access_token"];
  if (content === undefined || typeof value !== "string" || value === "") {
    throw authenticationError(`${url.host} answered without an access token.`);
  }
  checkIssuer(value, settings, url);
  const { token_type: type, expires_in: expiresIn, refresh_token: refreshToken } = content;
  const lifetimeMs = (Number(expiresIn) > 0 ? Number(expiresIn) : UNKNOWN_LIFETIME_S) * 1000;
  return {
    // RFC 6750 spells it `Bearer`; authorities that answer `bearer` mean the same, and some targets insist.
    type: typeof type === "string" && type.toLowerCase() !== "bearer" ? type : "Bearer",
    value,
    expiresAtMs: nowMs + Math.max(lifetimeMs - EXPIRY_MARGIN_MS, lifetimeMs / 2),
    refreshToken: typeof refreshToken === "string" ? refreshToken : undefined,
  };
}

function refusal(answer: Answer, url: URL, redaction: Redaction): ConnectorError {
  const detail = excerpt(answer, EXCERPT_CHARACTERS_MAX, (text) => redaction.masked(text));
  const isBroken = answer.status >= 500 || answer.status === 429;
  return new ConnectorError(`${url.host} answered ${answer.status} to the request for a token.`, {
    kind: isBroken ? "communication" : "authentication",
    outcome: "never-began",
    retryable: isBroken,
    ...(isBroken ? { status: answer.status } : {}),
    ...(detail === undefined ? {} : { detail }),
  });
}

/** With `issuers` a token must be a JWT of one of them. Its signature is the target's business: Tutti got it from the authority itself. */
function checkIssuer(token: string, settings: Oauth2Settings, url: URL): void {
  if (settings.issuers === undefined) return;
  const payload = token.split(".").length === 3 ? parseObject(Buffer.from(token.split(".")[1] ?? "", "base64url")) : undefined;
  const issuer = payload?.["iss"];
  if (typeof issuer !== "string" || !settings.issuers.includes(issuer)) {
    throw authenticationError(`The token from ${url.host} does not come from one of the issuers listed.`);
  }
}

/** `endpoints.token` is a path under the authority, or a URL of its own. */
function tokenUrl(settings: Oauth2Settings): URL {
  const path = settings.endpoints.token;
  const text = URL.canParse(path) ? path : `${settings.authority.replace(/\/+$/, "")}/${path.replace(/^\/+/, "")}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== "https:" && url.protocol !== "http:"))
    throw configurationError(`"${text}" is no URL for OAuth2 tokens.`);
  return url;
}

function grantFields(settings: Oauth2Settings): Record<string, Json> {
  switch (settings.grant) {
    case "client_credentials":
      return { grant_type: settings.grant };
    case "password": {
      const { username, password } = settings;
      if (username === undefined || password === undefined) throw configurationError("The grant password needs username and password.");
      return { grant_type: settings.grant, username, password };
    }
    case TOKEN_EXCHANGE: {
      const { subject, actor } = settings;
      if (subject === undefined) throw configurationError("The grant token-exchange needs a subject.");
      return {
        grant_type: settings.grant,
        subject_token: subject.token,
        subject_token_type: subject.type,
        ...(actor === undefined ? {} : { actor_token: actor.token, actor_token_type: actor.type }),
      };
    }
    default:
      throw configurationError(
        `The OAuth2 grant ${settings.grant} is not available to a workflow; client_credentials, password and token-exchange are.`,
      );
  }
}

function scopeFields({ scopes = [], audiences = [] }: Oauth2Settings): Record<string, Json> {
  return {
    ...(scopes.length === 0 ? {} : { scope: scopes.join(" ") }),
    ...(audiences.length === 0 ? {} : { audience: audiences.length === 1 ? (audiences[0] as string) : audiences }),
  };
}

/** How the client proves itself: in the body, in a header, by a signed assertion, or not at all. RFC 6749 section 2.3, RFC 7523. */
function clientFields(settings: Oauth2Settings): { readonly fields: Record<string, Json>; readonly authorization: string | undefined } {
  const { id, secret, assertion, authentication = "client_secret_post" } = settings.client ?? {};
  const named: Record<string, Json> = id === undefined ? {} : { client_id: id };
  switch (authentication) {
    case "none":
      return { fields: named, authorization: undefined };
    case "client_secret_post":
      return { fields: secret === undefined ? named : { ...named, client_secret: secret }, authorization: undefined };
    case "client_secret_basic": {
      if (id === undefined || secret === undefined) throw configurationError("client_secret_basic needs client.id and client.secret.");
      const pair = `${formEncode(id)}:${formEncode(secret)}`;
      return { fields: {}, authorization: `Basic ${Buffer.from(pair).toString("base64")}` };
    }
    case "private_key_jwt":
      if (assertion === undefined) throw configurationError("private_key_jwt needs client.assertion.");
      return { fields: { ...named, client_assertion: assertion, client_assertion_type: JWT_BEARER }, authorization: undefined };
    case "client_secret_jwt":
      throw configurationError(
        "client_secret_jwt is not available; client_secret_post, client_secret_basic, private_key_jwt and none are.",
      );
  }
}

/** RFC 6749, section 2.3.1: id and secret are form-encoded before they become a basic header. */
function formEncode(text: string): string {
  return new URLSearchParams({ v: text }).toString().slice(2);
}

function parseObject(body: Buffer): JsonObject | undefined {
  try {
    const parsed = JSON.parse(body.toString("utf8")) as Json;
    return isJsonObject(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

function configurationError(message: string): ConnectorError {
  return new ConnectorError(message, { kind: "configuration", outcome: "never-began" });
}

function authenticationError(message: string): ConnectorError {
  return new ConnectorError(message, { kind: "authentication", outcome: "never-began" });
}
