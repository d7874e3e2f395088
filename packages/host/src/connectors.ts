import { asyncapiConnector } from "@tutti/connector-asyncapi";
import { containerConnector } from "@tutti/connector-container";
import { grpcConnector } from "@tutti/connector-grpc";
import { haproxyConnector } from "@tutti/connector-haproxy";
import { httpClient, httpConnector } from "@tutti/connector-http";
import { icingaConnector } from "@tutti/connector-icinga";
import { type Connector, Network } from "@tutti/connector-kit";
import { libvirtConnector } from "@tutti/connector-libvirt";
import { mailConnector } from "@tutti/connector-mail";
import { mcpConnector } from "@tutti/connector-mcp";
import { nftablesConnector } from "@tutti/connector-nftables";
import { postgresqlConnector } from "@tutti/connector-postgresql";
import { powerdnsConnector } from "@tutti/connector-powerdns";
import { processConnector } from "@tutti/connector-process";
import { requestTrackerConnector } from "@tutti/connector-request-tracker";
import { resticConnector } from "@tutti/connector-restic";
import { sshConnector } from "@tutti/connector-ssh";
import type { HostSettings } from "./settings.ts";

/** The built-in connectors; for tests through the real command line also the bank of counted effects, kept in the file that TUTTI_TEST_BANK names. */
export async function loadConnectors(
  environment: Readonly<Record<string, string | undefined>>,
  settings: Partial<HostSettings> = {},
): Promise<readonly Connector[]> {
  // One client for all calls that speak HTTP or load descriptions by it: they share its rules and its access tokens.
  const http = httpClient({ network: settings.network ?? new Network() });
  const connectors: Connector[] = [
    httpConnector({ client: http }),
    asyncapiConnector({ http }),
    mcpConnector({ http }),
    grpcConnector({ http }),
    postgresqlConnector({ http }),
    powerdnsConnector({ http }),
    haproxyConnector(),
    nftablesConnector({ environment }),
    libvirtConnector({ environment }),
    icingaConnector({ http }),
    resticConnector({ environment }),
    requestTrackerConnector({ http }),
    mailConnector({ http }),
    sshConnector({ http }),
    processConnector({}),
    containerConnector({ engine: settings.containerEngine, environment }),
  ];
  const bankPath = environment["TUTTI_TEST_BANK"];
  if (bankPath) {
    const { createBank } = await import("@tutti/testkit");
    connectors.push(createBank({ path: bankPath }).connector);
  }
  return connectors;
}
