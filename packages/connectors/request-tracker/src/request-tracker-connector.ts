import { type HttpClient, httpClient } from "@tutti/connector-http";
import { type Connector, ConnectorError, defineConnector, type Health, type ProviderAccess, z } from "@tutti/connector-kit";
import { changeFunctions } from "./change-functions.ts";
import { linkFunctions } from "./link-functions.ts";
import { messageFunctions } from "./messages.ts";
import { requestTrackerResources } from "./resources.ts";
import { CONFIGURATION, CREDENTIALS, RtApi } from "./rt-api.ts";
import { ticketFunctions } from "./ticket-functions.ts";

export interface RequestTrackerConnectorOptions {
  /** Shared with the other calls of the language: way out, limits. */
  readonly http?: HttpClient;
}

/** The first version that brings REST 2.0 with it. */
const MAJOR_MIN = 5;

/** Tickets of Request Tracker, through its REST 2.0. */
export function requestTrackerConnector(options: RequestTrackerConnectorOptions = {}): Connector {
  const http = options.http ?? httpClient();
  return defineConnector({
    name: "request-tracker",
    version: "1.0.0",
    target: { system: "Request Tracker", tested: "5.0.3" },
    configuration: CONFIGURATION,
    credentials: CREDENTIALS,
    check: (access) => check(http, access),
    resources: requestTrackerResources(http),
    functions: { ...ticketFunctions(http), ...changeFunctions(http), ...messageFunctions(http), ...linkFunctions(http) },
  });
}

async function check(http: HttpClient, access: ProviderAccess): Promise<Health> {
  try {
    const { Version: version } = await new RtApi(http, access).ask({ method: "GET", path: "/rt" }, z.object({ Version: z.string() }));
    if (Number.parseInt(version, 10) >= MAJOR_MIN) return { status: "healthy", version };
    const problem = `Request Tracker ${version} is older than ${MAJOR_MIN}, the first version that this works with.`;
    return { status: "degraded", version, problem, wayOut: "Update Request Tracker." };
  } catch (error) {
    if (!(error instanceof ConnectorError)) throw error;
    return { status: "unhealthy", version: undefined, problem: error.message, wayOut: wayOutOf(error) };
  }
}

function wayOutOf(error: ConnectorError): string {
  switch (error.errorKind) {
    case "authentication":
    case "authorization":
      return "Correct the secrets of the credentials token, or user and password; a token is made in Request Tracker under Settings, Auth Tokens.";
    default:
      return "Look at `url`, which is Request Tracker's address in the browser, and at what stands between.";
  }
}
