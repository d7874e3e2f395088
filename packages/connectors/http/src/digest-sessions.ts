import { createHash } from "node:crypto";
import { type DigestChallenge, parseChallenges, strongestDigestChallenge } from "./digest-challenge.ts";
import type { DigestAnswers } from "./digest-credentials.ts";
import type { Answer } from "./exchange.ts";

/** Servers and users are few; the bound is against documents that compute them. */
const SESSIONS_MAX = 256;

/** What a server has asked of a user so far, kept so that later requests prove themselves at once. */
export interface DigestSession {
  answers: DigestAnswers | undefined;
}

/** Challenges by origin and user. Keys are digests, so that no password is a key; another password begins anew. */
export class DigestSessions {
  readonly #kept = new Map<string, DigestSession>();

  of(origin: string, username: string, password: string): DigestSession {
    const key = createHash("sha256")
      .update(JSON.stringify([origin, username, password]))
      .digest("base64");
    const kept = this.#kept.get(key) ?? { answers: undefined };
    // The one used last is thrown away last.
    this.#kept.delete(key);
    if (this.#kept.size >= SESSIONS_MAX) this.#kept.delete(this.#kept.keys().next().value ?? "");
    this.#kept.set(key, kept);
    return kept;
  }
}

/** The challenge of a refusal, if there is one that can be answered. */
export function challengeOf(answer: Answer): DigestChallenge | undefined {
  return answer.status === 401 ? strongestDigestChallenge(answer.headers.get("www-authenticate")) : undefined;
}

/** The nonce that the server wants for the next request; undefined when it does not say. Source: RFC 7616, section 3.5. */
export function nextNonceOf(answer: Answer): string | undefined {
  const header = answer.headers.get("authentication-info");
  // The field has the parameters of a challenge without a scheme.
  return header === null ? undefined : parseChallenges(`Info ${header}`)[0]?.parameters.get("nextnonce");
}
