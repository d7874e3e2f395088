import { createHash, randomBytes } from "node:crypto";
import type { DigestChallenge } from "./digest-challenge.ts";

/** What is proved to be known, and about which request. */
export interface DigestProof {
  readonly username: string;
  readonly password: string;
  readonly method: string;
  readonly url: URL;
  readonly body: string | Buffer | undefined;
}

const CNONCE_BYTES = 16;

/**
 * Answers one challenge for request after request: the nonce count rises, the client's own nonce stays, so that the `-sess` algorithms mean the
 * same to servers that compute the session key once and to those that compute it anew.
 */
export class DigestAnswers {
  readonly #challenge: DigestChallenge;
  readonly #cnonce: string;
  #nonce: string;
  #count = 0;

  constructor(challenge: DigestChallenge, cnonce = randomBytes(CNONCE_BYTES).toString("hex")) {
    this.#challenge = challenge;
    this.#cnonce = cnonce;
    this.#nonce = challenge.nonce;
  }

  /** The server named the nonce it wants next (`Authentication-Info: nextnonce`). */
  useNonce(nonce: string): void {
    this.#nonce = nonce;
    this.#count = 0;
  }

  /** The value of the `authorization` header. Source: RFC 7616, sections 3.4 to 3.4.4. */
  header(proof: DigestProof): string {
    const { realm, opaque, algorithm, qop, userhash } = this.#challenge;
    const hash = (text: string | Buffer): string => createHash(algorithm.hash).update(text).digest("hex");
    this.#count += 1;
    const nc = this.#count.toString(16).padStart(8, "0");
    const cnonce = this.#cnonce;
    const username = proof.username.normalize("NFC");
    const secret = hash(`${username}:${realm}:${proof.password.normalize("NFC")}`);
    const a1 = algorithm.session ? hash(`${secret}:${this.#nonce}:${cnonce}`) : secret;
    const uri = proof.url.pathname + proof.url.search;
    const a2 = hash(`${proof.method}:${uri}${qop === "auth-int" ? `:${hash(proof.body ?? "")}` : ""}`);
    const response = hash(qop === undefined ? `${a1}:${this.#nonce}:${a2}` : `${a1}:${this.#nonce}:${nc}:${cnonce}:${qop}:${a2}`);
    return `Digest ${[
      nameField(userhash ? hash(`${username}:${realm}`) : username),
      `realm=${quoted(realm)}`,
      `nonce=${quoted(this.#nonce)}`,
      `uri=${quoted(uri)}`,
      `response="${response}"`,
      `algorithm=${algorithm.name}`,
      ...(qop === undefined ? [] : [`qop=${qop}`, `nc=${nc}`]),
      ...(qop === undefined && !algorithm.session ? [] : [`cnonce="${cnonce}"`]),
      ...(opaque === undefined ? [] : [`opaque=${quoted(opaque)}`]),
      ...(userhash ? ["userhash=true"] : []),
    ].join(", ")}`;
  }
}

/** Names beyond ASCII travel in the extended notation (RFC 8187): a header field has no other place for them. */
function nameField(username: string): string {
  if (/^[\x20-\x7e]*$/.test(username)) return `username=${quoted(username)}`;
  const encoded = encodeURIComponent(username).replaceAll(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `username*=UTF-8''${encoded}`;
}

function quoted(text: string): string {
  return `"${text.replaceAll(/["\\]/g, "\\$&")}"`;
}
