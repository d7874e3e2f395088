import type { AttemptProvider } from "@tutti/connector-kit";
import { isJsonObject, type Json } from "@tutti/model";
import { freePort, startLabSystem } from "@tutti/testkit/lab";

const KEY = "lab-key-0123456789abcdef";

/** A PowerDNS of a test's own. */
export interface Pdns {
  readonly url: string;
  provider(url: string, apiKey?: string): AttemptProvider;
  /** Speaks to it past the connector. */
  ask(method: string, path: string, body?: Json): Promise<Json>;
  /** Deletes all zones. */
  empty(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts PowerDNS by `lab/pdns.sh`, beside any other that runs. */
export async function startPdns(): Promise<Pdns> {
  const [dns, api] = [await freePort(), await freePort()];
  const system = await startLabSystem("pdns", { PDNS_PORT: dns, PDNS_API_PORT: api, PDNS_API_KEY: KEY });
  const url = `http://127.0.0.1:${api}`;
  const ask = async (method: string, path: string, body?: Json): Promise<Json> => {
    const answer = await fetch(`${url}/api/v1/servers/localhost${path}`, {
      method,
      headers: { "x-api-key": KEY },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status}: ${text}`);
    return text === "" ? null : (JSON.parse(text) as Json);
  };
  return {
    url,
    ask,
    provider: (at, apiKey = KEY) => ({ name: "dns", configuration: { url: at }, credentials: { apiKey } }),
    empty: async () => {
      const zones = await ask("GET", "/zones");
      for (const zone of Array.isArray(zones) ? zones : [])
        if (isJsonObject(zone)) await ask("DELETE", `/zones/${String(zone["id"] as string)}`);
    },
    stop: () => system.stop(),
  };
}
