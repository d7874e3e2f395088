import { type HttpClient, httpClient } from "@tutti/connector-http";
import { type Connector, ConnectorError, defineConnector, type Health, type ProviderAccess, z } from "@tutti/connector-kit";
import { CONFIGURATION, CREDENTIALS, PowerdnsApi } from "./powerdns-api.ts";
import { recordSetFunctions } from "./record-set-functions.ts";
import { powerdnsResources } from "./resources.ts";
import { zoneFunctions } from "./zone-functions.ts";

export interface PowerdnsConnectorOptions {
  /** Shared with the other calls of the language: way out, limits. */
  readonly http?: HttpClient;
}

/** The first version whose API can list, note and comment as this connector needs it. */
const VERSION_MIN = [4, 3] as const;

const ServerAnswer = z.object({ daemon_type: z.string(), version: z.string() });

/** Zones and record sets of PowerDNS Authoritative Server, through its HTTP API. */
export function powerdnsConnector(options: PowerdnsConnectorOptions = {}): Connector {
  const http = options.http ?? httpClient();
  return defineConnector({
    name: "powerdns",
    version: "1.0.0",
    target: { system: "PowerDNS Authoritative Server", tested: "4.7" },
    configuration: CONFIGURATION,
    credentials: CREDENTIALS,
    check: (access) => check(http, access),
    resources: powerdnsResources(http),
    functions: { ...zoneFunctions(http), ...recordSetFunctions(http) },
  });
}

async function check(http: HttpClient, access: ProviderAccess): Promise<Health> {
  try {
    const api = new PowerdnsApi(http, access);
    const request = { method: "GET", path: "", allow: [404] } as const;
    const answer = await api.send(request);
    if (answer.status === 404)
      return ill("This PowerDNS has no server of the id that is configured.", "Leave `server` out: PowerDNS has only localhost.");
    return judged(api.read(request, answer, ServerAnswer));
  } catch (error) {
    if (!(error instanceof ConnectorError)) throw error;
    return ill(error.message, wayOutOf(error));
  }
}

function judged({ daemon_type: daemon, version }: z.infer<typeof ServerAnswer>): Health {
  if (daemon !== "authoritative")
    return ill(`This is the ${daemon} of PowerDNS, which keeps no zones.`, "Name the API of the authoritative server.", version);
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const isOld = major < VERSION_MIN[0] || (major === VERSION_MIN[0] && minor < VERSION_MIN[1]);
  if (!isOld) return { status: "healthy", version };
  const problem = `PowerDNS ${version} is older than ${VERSION_MIN.join(".")}, the first version that this works with.`;
  return { status: "degraded", version, problem, wayOut: "Update PowerDNS." };
}

function wayOutOf(error: ConnectorError): string {
  switch (error.errorKind) {
    case "authentication":
    case "authorization":
      return "Correct the secret of the credential apiKey, or api-key and webserver-allow-from in pdns.conf.";
    default:
      return "Look at `url`, at api=yes and webserver=yes in pdns.conf, and at what stands between.";
  }
}

function ill(problem: string, wayOut: string, version?: string): Health {
  return { status: "unhealthy", version, problem, wayOut };
}
