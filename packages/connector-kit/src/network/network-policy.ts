import { domainToASCII } from "node:url";
import { AppError } from "@tutti/model";
import { destinationsOf, type IpAddress, type IpRange, isInRange, parseAddress, parseRange } from "./ip-address.ts";
import { NEVER_MEANT, NOT_PUBLIC, type SpecialRange } from "./special-ranges.ts";

/**
 * What may be called when no rule names it. `local`: everything but what is never meant (metadata services, link-local …), for an operator's
 * own machine and network. `public`: in addition nothing private. `listed`: only what is allowed by name or range.
 */
export const NETWORK_MODES = ["local", "public", "listed"] as const;
export type NetworkMode = (typeof NETWORK_MODES)[number];

/** As an operator writes it. Rules: an address, a range (`10.0.0.0/8`), a host name, or `*.example.com` for every name under it. */
export interface NetworkRules {
  readonly mode: NetworkMode;
  readonly allow: readonly string[];
  readonly deny: readonly string[];
  /** Hosts that are spoken to without TLS by protocols whose addresses do not say it (gRPC), besides this machine. */
  readonly cleartext?: readonly string[];
}

/** The ways to name this machine. */
const THIS_MACHINE = ["localhost", "*.localhost", "127.0.0.0/8", "::1"];

export const DEFAULT_NETWORK_RULES: NetworkRules = { mode: "local", allow: [], deny: [] };

interface ParsedRules {
  readonly ranges: readonly IpRange[];
  readonly names: readonly string[];
}

/**
 * Decides which destinations may be called. In this order: `deny` refuses; an address that `allow` names is fine; what is never meant is
 * refused; a host name that `allow` names is fine; the mode decides about the rest.
 */
export class NetworkPolicy {
  readonly #mode: NetworkMode;
  readonly #allow: ParsedRules;
  readonly #deny: ParsedRules;
  readonly #cleartext: ParsedRules;

  /** @throws AppError `settings-invalid` naming the rule that can't be read. */
  constructor(rules: NetworkRules) {
    this.#mode = rules.mode;
    this.#allow = parseRules(rules.allow, "network.allow");
    this.#deny = parseRules(rules.deny, "network.deny");
    this.#cleartext = parseRules([...THIS_MACHINE, ...(rules.cleartext ?? [])], "network.cleartext");
  }

  /** Whether a host, as the document names it, is spoken to without TLS. What its name stands for is not asked: names can be led astray. */
  isCleartext(host: string): boolean {
    const address = parseAddress(host);
    if (address === undefined) return matchesName(normalName(host), this.#cleartext.names);
    return this.#cleartext.ranges.some((range) => isInRange(address, range));
  }

  /**
   * Why `address`, which `host` stands for, may not be called; undefined when it may.
   *
   * @param host a name, or the address itself in text form
   */
  refusal(host: string, address: string): string | undefined {
    const parsed = parseAddress(address);
    if (parsed === undefined) return `"${address}" is no IP address`;
    const name = parseAddress(host) === undefined ? normalName(host) : undefined;
    if (name !== undefined && matchesName(name, this.#deny.names)) return "it is on the deny list";
    const isNameAllowed = name !== undefined && matchesName(name, this.#allow.names);
    for (const destination of destinationsOf(parsed)) {
      const refused = this.#refusalOf(destination, isNameAllowed);
      if (refused !== undefined) return refused;
    }
    return undefined;
  }

  #refusalOf(address: IpAddress, isNameAllowed: boolean): string | undefined {
    if (this.#deny.ranges.some((range) => isInRange(address, range))) return "its address is on the deny list";
    if (this.#allow.ranges.some((range) => isInRange(address, range))) return undefined;
    const never = specialRange(address, NEVER_MEANT);
    if (never !== undefined) return `it is ${never}`;
    if (isNameAllowed) return undefined;
    switch (this.#mode) {
      case "local":
        return undefined;
      case "public": {
        const notPublic = specialRange(address, NOT_PUBLIC);
        return notPublic === undefined ? undefined : `it is ${notPublic}, and only public ones may be called`;
      }
      case "listed":
        return "it is not on the allow list";
    }
  }
}

function specialRange(address: IpAddress, among: readonly SpecialRange[]): string | undefined {
  return among.find(({ range }) => isInRange(address, range))?.what;
}

function parseRules(texts: readonly string[], where: string): ParsedRules {
  const ranges: IpRange[] = [];
  const names: string[] = [];
  for (const text of texts) {
    const range = parseRange(text);
    if (range !== undefined) ranges.push(range);
    else names.push(parseName(text, where));
  }
  return { ranges, names };
}

const NAME_RULE = /^(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;

function parseName(text: string, where: string): string {
  const star = text.startsWith("*.") ? "*." : "";
  const name = star + normalName(text.slice(star.length));
  // A name of digits and dots alone would be an address: a mistyped one is no name.
  if (NAME_RULE.test(name) && !/^[\d.]+$/.test(name)) return name;
  throw new AppError("settings-invalid", `"${text}" in ${where} is neither a host name, nor an address, nor a range such as 10.0.0.0/8.`, {
    details: { where, rule: text },
  });
}

/** Lower case, in ASCII, without the dot at its end: `BÜCHER.example.` is `xn--bcher-kva.example`. */
function normalName(host: string): string {
  const bare = host.replace(/\.$/, "").toLowerCase();
  return domainToASCII(bare) || bare;
}

function matchesName(name: string, rules: readonly string[]): boolean {
  return rules.some((rule) => (rule.startsWith("*.") ? name.endsWith(rule.slice(1)) : name === rule));
}
