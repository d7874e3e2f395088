import { type HttpClient, httpClient } from "@tutti/connector-http";
import { type Connector, ConnectorError, defineConnector, type Health, type ProviderAccess } from "@tutti/connector-kit";
import { commandFunctions } from "./command-function.ts";
import { directoryFunctions } from "./directory-functions.ts";
import { fileFunctions } from "./file-functions.ts";
import { hostFunctions, lookAt } from "./host-functions.ts";
import { resources } from "./resources.ts";
import { scriptFunctions } from "./script-function.ts";
import { CONFIGURATION, CREDENTIALS } from "./ssh-provider.ts";
import { DEFAULT_SSH_LIMITS, type SshDeps, type SshLimits } from "./ssh-session.ts";

export interface SshConnectorOptions {
  /** Whose network the connections go through. */
  readonly http?: Pick<HttpClient, "network">;
  readonly limits?: Partial<SshLimits>;
}

/** Commands, scripts and files of hosts, over SSH. */
export function sshConnector(options: SshConnectorOptions = {}): Connector {
  const { network } = options.http ?? httpClient();
  const deps: SshDeps = { network, limits: { ...DEFAULT_SSH_LIMITS, ...options.limits } };
  return defineConnector({
    name: "ssh",
    version: "1.0.0",
    target: { system: "OpenSSH on Linux", tested: "9.2" },
    configuration: CONFIGURATION,
    credentials: CREDENTIALS,
    check: (access) => check(deps, access),
    resources: resources(deps),
    functions: {
      ...commandFunctions(deps),
      ...scriptFunctions(deps),
      ...fileFunctions(deps),
      ...directoryFunctions(deps),
      ...hostFunctions(deps),
    },
  });
}

async function check(deps: SshDeps, access: ProviderAccess): Promise<Health> {
  try {
    const { system } = await lookAt(deps, access);
    return { status: "healthy", version: system };
  } catch (error) {
    if (!(error instanceof ConnectorError)) throw error;
    return {
      status: "unhealthy",
      version: undefined,
      problem: error.message,
      wayOut: WAY_OUT[error.errorKind] ?? "Look at host, port and user of the provider, and at the log of the host's sshd.",
    };
  }
}

const WAY_OUT: Readonly<Record<string, string>> = {
  authentication: "Correct the user, or the secret that is its key or password.",
  authorization: "Compare the host key with that of the host, and correct hostKeys.",
  configuration: "Correct the provider.",
};
