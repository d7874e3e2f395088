import { createHash, randomBytes } from "node:crypto";
import type { SeenRequest } from "./test-server.ts";
import { parseChallenges } from "./digest-challenge.ts";

export interface DigestRules {
  readonly username: string;
  readonly password: string;
  readonly algorithm: string;
  readonly qop?: string;
  readonly userhash?: boolean;
  /** Requests that one nonce is good for; later ones are told that it is stale. */
  readonly usesMax?: number;
}

const HASHES: Readonly<Record<string, string>> = { MD5: "md5", "SHA-256": "sha256", "SHA-512-256": "sha512-256" };
const REALM = "test@example.org";

/** The server's side of RFC 7616, strict: every field is checked, and a count that was seen is refused. */
export class DigestServer {
  readonly #rules: DigestRules;
  readonly #opaque = randomBytes(8).toString("hex");
  /** The highest count seen of each nonce given out. */
  readonly #counts = new Map<string, number>();

  constructor(rules: DigestRules) {
    this.#rules = rules;
  }

  /** Undefined when the request proves the password; else the challenge to refuse it with. */
  refuse(request: SeenRequest): string | undefined {
    const verdict = this.#verdict(request);
    return verdict === "right" ? undefined : this.#challenge(verdict === "stale");
  }

  /** Nobody knows the nonces any more, as after a restart. */
  forget(): void {
    this.#counts.clear();
  }

  #challenge(stale: boolean): string {
    const { algorithm, qop, userhash } = this.#rules;
    const nonce = randomBytes(12).toString("base64");
    this.#counts.set(nonce, 0);
    const optional = `${qop === undefined ? "" : `, qop="${qop}"`}${userhash === true ? ", userhash=true" : ""}${stale ? ", stale=true" : ""}`;
    return `Digest realm="${REALM}", nonce="${nonce}", opaque="${this.#opaque}", algorithm=${algorithm}, charset=UTF-8${optional}`;
  }

  #verdict(request: SeenRequest): "right" | "wrong" | "stale" {
    const given = parseChallenges(request.headers.authorization ?? "")[0];
    const field = (name: string): string => given?.parameters.get(name) ?? "";
    if (given?.scheme !== "digest" || field("realm") !== REALM || field("opaque") !== this.#opaque) return "wrong";
    const { algorithm, usesMax = Number.POSITIVE_INFINITY } = this.#rules;
    if (field("algorithm") !== algorithm || field("uri") !== request.url) return "wrong";
    if (field("response") !== this.#response(request, field) || !this.#isUser(field)) return "wrong";
    const seen = this.#counts.get(field("nonce"));
    if (seen === undefined) return "stale";
    if (this.#rules.qop === undefined) return "right";
    const count = Number.parseInt(field("nc"), 16);
    if (!(count > seen) || count > usesMax) return "stale";
    this.#counts.set(field("nonce"), count);
    return "right";
  }

  #isUser(field: (name: string) => string): boolean {
    const { username, userhash } = this.#rules;
    if (userhash === true) return field("userhash") === "true" && field("username") === this.#hash(`${username}:${REALM}`);
    const extended = field("username*");
    return (extended === "" ? field("username") : decodeURIComponent(extended.replace(/^UTF-8''/, ""))) === username;
  }

  #response(request: SeenRequest, field: (name: string) => string): string {
    const { username, password, algorithm, qop } = this.#rules;
    const nonce = field("nonce");
    const secret = this.#hash(`${username}:${REALM}:${password}`);
    const a1 = algorithm.endsWith("-sess") ? this.#hash(`${secret}:${nonce}:${field("cnonce")}`) : secret;
    const body = field("qop") === "auth-int" ? `:${this.#hash(request.body)}` : "";
    const a2 = this.#hash(`${request.method}:${field("uri")}${body}`);
    if (qop === undefined) return this.#hash(`${a1}:${nonce}:${a2}`);
    return this.#hash(`${a1}:${nonce}:${field("nc")}:${field("cnonce")}:${field("qop")}:${a2}`);
  }

  #hash(text: string): string {
    const name = HASHES[this.#rules.algorithm.replace(/-sess$/, "")];
    if (name === undefined) throw new Error(`no hash for ${this.#rules.algorithm}`);
    return createHash(name).update(text).digest("hex");
  }
}
