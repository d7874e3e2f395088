import { type Attempt, ConnectorError, type z } from "@tutti/connector-kit";
import { isJsonObject, type Json } from "@tutti/model";
import { challengeOf, type DigestSession, DigestSessions, nextNonceOf } from "./digest-sessions.ts";
import { DigestAnswers } from "./digest-credentials.ts";
import type { Answer, Hop } from "./exchange.ts";
import { type Authentication, BasicCredentials, BearerCredentials, Oauth2Settings, OidcSettings } from "./http-input.ts";
import type { TokenSource } from "./oauth2.ts";
import type { Discovery } from "./oidc.ts";

/** How the requests of one call prove who sends them. */
export interface Credentials {
  /** The `authorization` header of one request; undefined while there is nothing to prove it with. */
  header(request: Hop): string | undefined;
  /** Takes in what an answer says about the next request. */
  learn(answer: Answer): void;
  /**
   * Whether the request that was refused with this answer may be sent again with other credentials, which `header` then gives.
   *
   * @throws ConnectorError never-began.
   */
  renew(answer: Answer): Promise<boolean>;
}

/** What a policy stands for, outside of HTTP. */
export type PlainCredentials =
  | { readonly kind: "password"; readonly username: string; readonly password: string }
  | { readonly kind: "token"; readonly token: string };

/** Turns authentication policies into credentials; secrets are asked for at this moment and kept nowhere but in the token cache. */
export class Authenticator {
  readonly #tokens: TokenSource;
  readonly #discovery: Discovery;
  readonly #digests = new DigestSessions();

  constructor(parts: { readonly tokens: TokenSource; readonly discovery: Discovery }) {
    this.#tokens = parts.tokens;
    this.#discovery = parts.discovery;
  }

  /**
   * The credentials for a call to `origin`.
   *
   * @throws ConnectorError never-began: whatever fails here, the call itself was not sent.
   */
  async credentials(policy: Authentication, origin: string, attempt: Attempt): Promise<Credentials> {
    if (policy.basic !== undefined) {
      const { username, password } = await this.#read(policy.basic, BasicCredentials, attempt);
      return fixed(`Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`);
    }
    if (policy.bearer !== undefined) {
      const { token } = await this.#read(policy.bearer, BearerCredentials, attempt);
      return fixed(`Bearer ${token}`);
    }
    if (policy.digest !== undefined) {
      const { username, password } = await this.#read(policy.digest, BasicCredentials, attempt);
      const session = this.#digests.of(origin, username, password);
      return digest(session, { username, password }, attempt);
    }
    if (policy.oauth2 !== undefined) return this.#byToken(await this.#read(policy.oauth2, Oauth2Settings, attempt), attempt);
    if (policy.oidc !== undefined) {
      const settings = await this.#read(policy.oidc, OidcSettings, attempt);
      return this.#byToken(await this.#discovery.settings(settings, attempt.signal), attempt);
    }
    throw new ConnectorError("The authentication names no scheme.", { kind: "configuration", outcome: "never-began" });
  }

  async #byToken(settings: Oauth2Settings, attempt: Attempt): Promise<Credentials> {
    const fetchToken = async (how: { readonly renew: boolean }): Promise<string> => {
      const token = await this.#tokens.token(settings, attempt, how);
      // Whoever holds it is the client: a target that echoes its headers must not put it into a record.
      attempt.mask(token.value);
      return `${token.type} ${token.value}`;
    };
    let header = await fetchToken({ renew: false });
    let isRenewed = false;
    return {
      header: () => header,
      learn: () => {},
      renew: async () => {
        // A kept access token may have been revoked early; a new one that is refused is refused.
        if (isRenewed) return false;
        isRenewed = true;
        header = await fetchToken({ renew: true });
        return true;
      },
    };
  }

  /**
   * Credentials as they are, for protocols that have no such header: name and password, or a token.
   *
   * @throws ConnectorError never-began: whatever fails here, the call itself was not sent.
   */
  async plainCredentials(policy: Authentication, origin: string, attempt: Attempt): Promise<PlainCredentials> {
    if (policy.basic !== undefined) {
      const { username, password } = await this.#read(policy.basic, BasicCredentials, attempt);
      return { kind: "password", username, password };
    }
    const header = await this.bearerHeader(policy, origin, attempt);
    return { kind: "token", token: header.slice(header.indexOf(" ") + 1) };
  }

  /**
   * The `authorization` header where a refusal can't be answered: streams, and protocols that only carry the header.
   *
   * @throws ConnectorError never-began: also for digest, which is an answer to a refusal.
   */
  async bearerHeader(policy: Authentication, origin: string, attempt: Attempt): Promise<string> {
    const header =
      policy.digest === undefined
        ? (await this.credentials(policy, origin, attempt)).header({ method: "GET", url: new URL(origin), body: undefined })
        : undefined;
    if (header !== undefined) return header;
    throw new ConnectorError("Authentication by digest is HTTP's own and not possible here; basic, bearer, oauth2 and oidc are.", {
      kind: "configuration",
      outcome: "never-began",
    });
  }

  async #read<S extends z.ZodType>(given: z.infer<S> | { readonly use: string }, schema: S, attempt: Attempt): Promise<z.infer<S>> {
    if (!isReference(given)) return given;
    const secret = await attempt.secret(given.use);
    const parsed = schema.safeParse(withBareToken(secret));
    if (parsed.success) return parsed.data;
    // Names of members only: the values are the secret.
    const members = [...new Set(parsed.error.issues.map((issue) => issue.path.map(String).join(".") || "the whole"))].join(", ");
    throw new ConnectorError(`The secret "${given.use}" does not hold what this authentication needs; look at: ${members}.`, {
      kind: "configuration",
      outcome: "never-began",
    });
  }
}

function fixed(header: string): Credentials {
  return { header: () => header, learn: () => {}, renew: async () => false };
}

/** Without a challenge of the server nothing can be proved: the first request goes without, and its refusal brings the challenge. */
function digest(session: DigestSession, user: { readonly username: string; readonly password: string }, attempt: Attempt): Credentials {
  /** The challenge that this call's last request has answered: refused again, and not for its age, the password is wrong. */
  let answered: DigestAnswers | undefined;
  let isOwnChallenge = false;
  return {
    header: (request) => {
      answered = session.answers;
      if (answered === undefined) return undefined;
      const header = answered.header({ ...user, ...request });
      // Whoever sees it may try out passwords against it at leisure.
      attempt.mask(/response="([0-9a-f]+)"/.exec(header)?.[1] ?? null);
      return header;
    },
    learn: (answer) => {
      const next = answer.status === 401 ? undefined : nextNonceOf(answer);
      if (next !== undefined) session.answers?.useNonce(next);
    },
    renew: async (answer) => {
      const challenge = challengeOf(answer);
      if (challenge === undefined) return false;
      if (answered !== undefined && isOwnChallenge && !challenge.stale) {
        if (session.answers === answered) session.answers = undefined;
        return false;
      }
      isOwnChallenge = true;
      session.answers = new DigestAnswers(challenge);
      return true;
    },
  };
}

function isReference(given: unknown): given is { readonly use: string } {
  return typeof given === "object" && given !== null && "use" in given;
}

/** A secret that is plain text is a bearer token. */
function withBareToken(secret: Json): Json {
  return isJsonObject(secret) || typeof secret !== "string" ? secret : { token: secret };
}
