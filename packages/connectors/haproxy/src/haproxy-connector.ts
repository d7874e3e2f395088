import { type Connector, ConnectorError, defineConnector, type Health, type ProviderAccess } from "@tutti/connector-kit";
import { ENTRY_FUNCTIONS } from "./entry-functions.ts";
import { loadServers } from "./members.ts";
import { MEMBER_FUNCTIONS } from "./member-functions.ts";
import { OBSERVE_FUNCTIONS } from "./observe-functions.ts";
import { RESOURCES } from "./resources.ts";
import { CONFIGURATION, RuntimeApi } from "./runtime-api.ts";

/** The first version that adds and deletes servers at run time without being told to experiment. */
const VERSION_MIN = [2, 6] as const;
/** What `show version` says: 2.6.12-1+deb12u3. */
const VERSION = /^(\d+)\.(\d+)[\w.+~-]*$/;

/** Members of pools, maps and ACLs of HAProxy, through its runtime API. */
export function haproxyConnector(): Connector {
  return defineConnector({
    name: "haproxy",
    version: "1.0.0",
    target: { system: "HAProxy", tested: "2.6" },
    configuration: CONFIGURATION,
    check,
    resources: RESOURCES,
    functions: { ...MEMBER_FUNCTIONS, ...OBSERVE_FUNCTIONS, ...ENTRY_FUNCTIONS },
  });
}

async function check(access: ProviderAccess): Promise<Health> {
  try {
    const api = new RuntimeApi(access);
    const said = (await api.ask("show version")).trim();
    const [version, major, minor] = VERSION.exec(said) ?? [];
    if (version === undefined) throw api.strange();
    const level = (await api.ask("show cli level")).trim();
    if (level !== "admin")
      return ill(
        "The socket's level is not admin: nothing can be changed through it.",
        "Write `level admin` to its `stats socket` in HAProxy's configuration, or name another socket.",
        version,
      );
    await loadServers(api);
    const isOld = Number(major) < VERSION_MIN[0] || (Number(major) === VERSION_MIN[0] && Number(minor) < VERSION_MIN[1]);
    if (!isOld) return { status: "healthy", version };
    return {
      status: "degraded",
      version,
      problem: `HAProxy ${version} is older than ${VERSION_MIN.join(".")}, the first version that adds members at run time.`,
      wayOut: "Update HAProxy.",
    };
  } catch (error) {
    if (!(error instanceof ConnectorError)) throw error;
    return ill(error.message, "Look at `stats socket` in HAProxy's configuration, at who may use it, and at the provider's socket.");
  }
}

function ill(problem: string, wayOut: string, version?: string): Health {
  return { status: "unhealthy", version, problem, wayOut };
}
