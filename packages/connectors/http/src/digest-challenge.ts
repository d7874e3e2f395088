/** What a server asks for in a `WWW-Authenticate: Digest` header. Source: RFC 7616, section 3.3. */
export interface DigestChallenge {
  readonly realm: string;
  readonly nonce: string;
  readonly opaque: string | undefined;
  readonly algorithm: DigestAlgorithm;
  /** `auth-int` covers the body as well; undefined for servers of RFC 2069, which know no qop. */
  readonly qop: "auth" | "auth-int" | undefined;
  /** The credentials were right, only their nonce was too old. */
  readonly stale: boolean;
  readonly userhash: boolean;
}

export interface DigestAlgorithm {
  /** As it is written in headers. */
  readonly name: string;
  /** As OpenSSL calls it. */
  readonly hash: string;
  readonly session: boolean;
}

/** From the weakest to the strongest. */
const ALGORITHMS: readonly DigestAlgorithm[] = [
  { name: "MD5", hash: "md5", session: false },
  { name: "MD5-sess", hash: "md5", session: true },
  { name: "SHA-256", hash: "sha256", session: false },
  { name: "SHA-256-sess", hash: "sha256", session: true },
  { name: "SHA-512-256", hash: "sha512-256", session: false },
  { name: "SHA-512-256-sess", hash: "sha512-256", session: true },
];

/** The strongest challenge of the header that can be answered; undefined when there is none. */
export function strongestDigestChallenge(header: string | null): DigestChallenge | undefined {
  const found = parseChallenges(header ?? "")
    .filter(({ scheme }) => scheme === "digest")
    .flatMap(({ parameters }) => readChallenge(parameters) ?? []);
  return found.toSorted((left, right) => ALGORITHMS.indexOf(right.algorithm) - ALGORITHMS.indexOf(left.algorithm))[0];
}

function readChallenge(parameters: ReadonlyMap<string, string>): DigestChallenge | undefined {
  const realm = parameters.get("realm");
  const nonce = parameters.get("nonce");
  const wanted = (parameters.get("algorithm") ?? "MD5").toLowerCase();
  const algorithm = ALGORITHMS.find(({ name }) => name.toLowerCase() === wanted);
  const offered = parameters.get("qop");
  const qops = offered?.split(",").map((text) => text.trim().toLowerCase());
  const qop = qops?.includes("auth") ? "auth" : qops?.includes("auth-int") ? "auth-int" : undefined;
  if (realm === undefined || nonce === undefined || algorithm === undefined) return undefined;
  // A qop that is none of the two can't be answered; the absence of any can.
  if (qops !== undefined && qop === undefined) return undefined;
  const isTrue = (name: string): boolean => parameters.get(name)?.toLowerCase() === "true";
  return { realm, nonce, opaque: parameters.get("opaque"), algorithm, qop, stale: isTrue("stale"), userhash: isTrue("userhash") };
}

/** One challenge of any scheme. */
interface Challenge {
  readonly scheme: string;
  /** By lower-case name. */
  readonly parameters: Map<string, string>;
}

const SEPARATOR = /[\s,]*/y;
const NAME = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;
const TOKEN68 = /[ \t]+[A-Za-z0-9._~+/-]+=*(?=[ \t]*(?:,|$))/y;
const VALUE = /[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([!#$%&'*+.^_`|~0-9A-Za-z/:=-]+))/y;

/**
 * Reads a `WWW-Authenticate` header, or several that were joined by commas: schemes and their parameters are separated by the same commas. What
 * does not parse ends the reading; what was read before counts. Source: RFC 9110, section 11.6.1.
 */
export function parseChallenges(header: string): readonly Challenge[] {
  const challenges: Challenge[] = [];
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | undefined => {
    pattern.lastIndex = at;
    const match = pattern.exec(header) ?? undefined;
    if (match !== undefined) at = pattern.lastIndex;
    return match;
  };
  for (;;) {
    take(SEPARATOR);
    const name = take(NAME)?.[0].toLowerCase();
    if (name === undefined) return challenges;
    const value = take(VALUE);
    if (value === undefined) {
      challenges.push({ scheme: name, parameters: new Map() });
      take(TOKEN68);
    } else {
      const text = value[1] === undefined ? (value[2] ?? "") : value[1].replaceAll(/\\(.)/g, "$1");
      const { parameters } = challenges.at(-1) ?? { parameters: undefined };
      if (parameters === undefined) return challenges;
      // Twice the same parameter is forbidden; the first one counts, so that nothing appended can change it.
      if (!parameters.has(name)) parameters.set(name, text);
    }
  }
}
