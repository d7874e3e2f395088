import { type Attempt, ConnectorError, type z } from "@tutti/connector-kit";
import { isJsonObject, type Json } from "@tutti/model";
import { type Authentication, BasicCredentials, BearerCredentials, Oauth2Settings } from "./http-input.ts";
import type { TokenSource } from "./oauth2.ts";

/** A value for the `authorization` header, and whether another one could be had when the target refuses it. */
export interface Credentials {
  readonly value: string;
  readonly renewable: boolean;
}

/** Turns authentication policies into headers; secrets are asked for at this moment and kept nowhere but in the token cache. */
export class Authenticator {
  readonly #tokens: TokenSource;

  constructor(tokens: TokenSource) {
    this.#tokens = tokens;
  }

  /**
   * The credentials for one request. With `renew` a kept token is thrown away first.
   *
   * @throws ConnectorError never-began: whatever fails here, the call itself was not sent.
   */
  async header(policy: Authentication, attempt: Attempt, how: { readonly renew: boolean }): Promise<Credentials> {
    if (policy.basic !== undefined) {
      const { username, password } = await this.#read(policy.basic, BasicCredentials, attempt);
      return { value: `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`, renewable: false };
    }
    if (policy.bearer !== undefined) {
      const { token } = await this.#read(policy.bearer, BearerCredentials, attempt);
      return { value: `Bearer ${token}`, renewable: false };
    }
    if (policy.oauth2 !== undefined) {
      const settings = await this.#read(policy.oauth2, Oauth2Settings, attempt);
      const token = await this.#tokens.token(settings, attempt.signal, how);
      // Whoever holds it is the client: a target that echoes its headers must not put it into a record.
      attempt.mask(token.value);
      return { value: `${token.type} ${token.value}`, renewable: true };
    }
    const scheme = policy.digest === undefined ? "oidc" : "digest";
    throw new ConnectorError(`Authentication by ${scheme} is not available yet; basic, bearer and oauth2 are.`, {
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

function isReference(given: unknown): given is { readonly use: string } {
  return typeof given === "object" && given !== null && "use" in given;
}

/** A secret that is plain text is a bearer token. */
function withBareToken(secret: Json): Json {
  return isJsonObject(secret) || typeof secret !== "string" ? secret : { token: secret };
}
