import { Agent, buildConnector } from "undici";
import type { Network, NetworkFetch } from "./network.ts";

/** From asking for a connection to having one, TLS included; a host that does not answer by then is down. */
const CONNECT_TIMEOUT_MS = 10_000;

/** A fetch whose connections are made through `network`, each destination checked. */
export function networkFetch(network: Network): NetworkFetch {
  const { certificateAuthorities: ca } = network;
  const connect = buildConnector({
    timeout: CONNECT_TIMEOUT_MS,
    lookup: network.lookup,
    // Said here, it also holds where NODE_TLS_REJECT_UNAUTHORIZED=0 stands in the environment.
    rejectUnauthorized: true,
    ...(ca === undefined ? {} : { ca: [...ca] }),
  });
  const agent = new Agent({
    connect: (options, done) => {
      try {
        network.checkHost(options.hostname);
      } catch (error) {
        done(error instanceof Error ? error : new Error(String(error)), null);
        return;
      }
      connect(options, done);
    },
  });
  const options = { dispatcher: agent };
  return (url, init) => fetch(url, { ...init, ...options });
}
