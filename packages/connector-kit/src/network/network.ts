import { lookup as systemLookup } from "node:dns/promises";
import { isIP, type LookupFunction } from "node:net";
import { getCACertificates } from "node:tls";
import { DEFAULT_NETWORK_RULES, NetworkPolicy, type NetworkRules } from "./network-policy.ts";

/** One address of a host. */
export interface HostAddress {
  readonly address: string;
  readonly family: number;
}

/** How names become addresses: the system's resolver, or one that a test puts in its place. */
export type Resolver = (host: string) => Promise<readonly HostAddress[]>;

export interface NetworkOptions {
  readonly rules?: NetworkRules;
  /** Certificates (PEM) of authorities that are trusted in addition to Node's own list. */
  readonly certificateAuthorities?: readonly string[];
  readonly resolve?: Resolver;
}

/** A destination that the network policy refuses; nothing was sent to it. */
export class NetworkRefusedError extends Error {
  readonly code = "ERR_TUTTI_NETWORK_REFUSED";
  readonly host: string;

  constructor(host: string, why: string) {
    super(`${host} may not be called: ${why}. If it is meant, list it under network.allow in the data directory's settings.yaml.`);
    this.name = "NetworkRefusedError";
    this.host = host;
  }
}

/**
 * The way out to other systems, the same for all connectors: a host's name is looked up once, every address it stands for is checked, and the
 * connection goes to an address that was checked. A name that stands for one forbidden address among others is refused as a whole: it is either
 * a mistake or a trick.
 *
 * A client of any protocol uses it in one of two ways: `fetch`; or `checkHost` before it connects together with `lookup` and
 * `certificateAuthorities` as options of `net.connect`, `tls.connect`, `http.request` and whatever passes options to them.
 */
export class Network {
  /** For the option `ca` of TLS: Node's own authorities and the operator's; undefined when there are only Node's own. */
  readonly certificateAuthorities: readonly string[] | undefined;
  /** For the option `lookup`. Fails with a NetworkRefusedError. Is not asked about address literals: that is what `checkHost` is for. */
  readonly lookup: LookupFunction;
  readonly #policy: NetworkPolicy;
  readonly #resolve: Resolver;
  #fetch: Promise<NetworkFetch> | undefined;

  /** @throws AppError `settings-invalid` for a rule that can't be read. */
  constructor(options: NetworkOptions = {}) {
    this.#policy = new NetworkPolicy(options.rules ?? DEFAULT_NETWORK_RULES);
    this.#resolve = options.resolve ?? ((host) => systemLookup(host, { all: true }));
    const own = options.certificateAuthorities ?? [];
    this.certificateAuthorities = own.length === 0 ? undefined : [...getCACertificates("default"), ...own];
    this.lookup = (host, wanted, answer) => {
      this.addressesOf(host).then(
        (addresses) => {
          const family = wanted.family === "IPv4" ? 4 : wanted.family === "IPv6" ? 6 : (wanted.family ?? 0);
          const fitting = addresses.filter((candidate) => family === 0 || candidate.family === family);
          const [first] = fitting;
          if (first === undefined)
            answer(Object.assign(new Error(`${host} has no address of the kind asked for`), { code: "ENOTFOUND" }), "");
          else if (wanted.all === true) answer(null, [...fitting]);
          else answer(null, first.address, first.family);
        },
        (error: unknown) => answer(error instanceof Error ? error : new Error(String(error)), ""),
      );
    };
  }

  /**
   * The addresses of a host, in the order to try them.
   *
   * @throws NetworkRefusedError when one of them may not be called; the resolver's error when the name stands for nothing.
   */
  async addressesOf(host: string): Promise<readonly HostAddress[]> {
    const bare = host.replace(/^\[(.*)\]$/, "$1");
    const addresses = isIP(bare) === 0 ? await this.#resolve(bare) : [{ address: bare, family: isIP(bare) }];
    for (const { address } of addresses) this.#check(host, address);
    return addresses;
  }

  /** @throws NetworkRefusedError when `host` is an address that may not be called. Names are checked when they are looked up. */
  checkHost(host: string): void {
    if (isIP(host.replace(/^\[(.*)\]$/, "$1")) !== 0) this.#check(host, host);
  }

  /** Whether a protocol whose addresses do not say it (gRPC) speaks to `host` without TLS: this machine, and what the operator names. */
  speaksCleartext(host: string): boolean {
    return this.#policy.isCleartext(host.replace(/^\[(.*)\]$/, "$1"));
  }

  /** The fetch of the standard through this network. Certificates are always checked; redirects are the caller's business. */
  async fetch(url: string, init: RequestInit): Promise<Response> {
    // Loaded when the first request leaves: a process that calls nothing does not pay for the client.
    this.#fetch ??= import("./network-fetch.ts").then(({ networkFetch }) => networkFetch(this));
    return (await this.#fetch)(url, init);
  }

  #check(host: string, address: string): void {
    const refusal = this.#policy.refusal(host, address);
    if (refusal !== undefined) throw new NetworkRefusedError(host === address ? host : `${host} (${address})`, refusal);
  }
}

/** How requests leave. */
export type NetworkFetch = (url: string, init: RequestInit) => Promise<Response>;
