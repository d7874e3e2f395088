import { type HttpClient, httpClient } from "@tutti/connector-http";
import {
  type Connector,
  ConnectorError,
  type ConnectorFunction,
  defineConnector,
  type Health,
  parseInput,
  type ProviderAccess,
  type ResourceType,
  z,
} from "@tutti/connector-kit";
import { checkableOf, findObjects, Host, idOf, type Kind, readObject, type Reference, Service } from "./checkables.ts";
import { Downtime, downtimeFunctions, downtimes, withName } from "./downtime-functions.ts";
import { CONFIGURATION, CREDENTIALS, IcingaApi } from "./icinga-api.ts";
import { objectFunctions } from "./object-functions.ts";
import { stateFunctions } from "./state-functions.ts";

export interface IcingaConnectorOptions {
  /** Shared with the other calls of the language: way out, limits. */
  readonly http?: HttpClient;
}

/** The first version whose filters take values beside them and whose downtimes come with those of services. */
const VERSION_MIN = [2, 11] as const;

const Application = z.looseObject({
  name: z.string(),
  status: z.looseObject({ icingaapplication: z.looseObject({ app: z.looseObject({ version: z.string(), node_name: z.string() }) }) }),
});
const Counts = z.looseObject({
  num_hosts_up: z.number(),
  num_hosts_down: z.number(),
  num_hosts_acknowledged: z.number(),
  num_hosts_in_downtime: z.number(),
  num_services_ok: z.number(),
  num_services_warning: z.number(),
  num_services_critical: z.number(),
  num_services_unknown: z.number(),
  num_services_acknowledged: z.number(),
  num_services_in_downtime: z.number(),
});
const Status = z.strictObject({
  node: z.string(),
  version: z.string(),
  hosts: z.strictObject({ up: z.number(), down: z.number(), acknowledged: z.number(), inDowntime: z.number() }),
  services: z.strictObject({
    ok: z.number(),
    warning: z.number(),
    critical: z.number(),
    unknown: z.number(),
    acknowledged: z.number(),
    inDowntime: z.number(),
  }),
});

/** Hosts, services, their states and downtimes of Icinga 2, through its REST API. */
export function icingaConnector(options: IcingaConnectorOptions = {}): Connector {
  const http = options.http ?? httpClient();
  return defineConnector({
    name: "icinga",
    version: "1.0.0",
    target: { system: "Icinga 2", tested: "2.13" },
    configuration: CONFIGURATION,
    credentials: CREDENTIALS,
    check: (access) => check(http, access),
    resources: {
      host: checkables(http, "host"),
      service: checkables(http, "service"),
      downtime: {
        title: "A downtime of a host or service",
        schema: Downtime,
        id: (downtime) => Downtime.parse(downtime).name,
        token: (downtime) => Downtime.parse(downtime).token ?? undefined,
        read: async (id, access) => (await downtimes(new IcingaApi(http, access), withName(id)))[0],
        list: async (access) => downtimes(new IcingaApi(http, access)),
      },
    },
    functions: {
      ...objectFunctions(http, "host"),
      ...stateFunctions(http, "host"),
      ...objectFunctions(http, "service"),
      ...stateFunctions(http, "service"),
      ...downtimeFunctions(http),
      "status.read:1": readStatus(http),
    },
  });
}

function checkables(http: HttpClient, kind: Kind): ResourceType {
  const schema = kind === "host" ? Host : Service;
  const referenceOf = (id: string): Reference => {
    const at = id.indexOf("!");
    return at < 0 ? { host: id, service: undefined } : { host: id.slice(0, at), service: id.slice(at + 1) };
  };
  return {
    title: kind === "host" ? "A host" : "A service of a host",
    schema,
    id: (found) => {
      const { host, service } = { service: undefined, ...schema.parse(found) };
      return idOf({ host, service });
    },
    token: (found) => schema.parse(found).token ?? undefined,
    read: async (id, access) => {
      const found = await readObject(new IcingaApi(http, access), referenceOf(id));
      return found === undefined ? undefined : checkableOf(found);
    },
    list: async (access) => (await findObjects(new IcingaApi(http, access), kind, undefined)).map(checkableOf),
  };
}

function readStatus(http: HttpClient): ConnectorFunction {
  return {
    title: "Count hosts and services by their states",
    input: z.strictObject({}),
    output: Status,
    effect: "read",
    requestTimeoutMs: http.limits.headTimeoutMs,
    settleMs: 0,
    run: async (given, attempt) => {
      parseInput(z.strictObject({}), given);
      const api = new IcingaApi(http, attempt);
      const { node_name: node, version } = await application(api);
      const [counted] = await api.find({ method: "GET", path: "/status/CIB" }, z.looseObject({ status: Counts }));
      if (counted === undefined) throw api.refusal("Icinga counts nothing: its feature for it (CIB) is not there.");
      const { status: all } = counted;
      return {
        node,
        version,
        hosts: {
          up: all.num_hosts_up,
          down: all.num_hosts_down,
          acknowledged: all.num_hosts_acknowledged,
          inDowntime: all.num_hosts_in_downtime,
        },
        services: {
          ok: all.num_services_ok,
          warning: all.num_services_warning,
          critical: all.num_services_critical,
          unknown: all.num_services_unknown,
          acknowledged: all.num_services_acknowledged,
          inDowntime: all.num_services_in_downtime,
        },
      };
    },
  };
}

async function application(api: IcingaApi): Promise<{ readonly node_name: string; readonly version: string }> {
  const [found] = await api.find({ method: "GET", path: "/status/IcingaApplication" }, Application);
  if (found === undefined) throw api.refusal("What answers is no Icinga 2 that monitors: it has no IcingaApplication.");
  const { node_name, version } = found.status.icingaapplication.app;
  return { node_name, version: version.replace(/^[rv]/, "").replace(/-.*$/, "") };
}

async function check(http: HttpClient, access: ProviderAccess): Promise<Health> {
  try {
    const { version } = await application(new IcingaApi(http, access));
    const [major = 0, minor = 0] = version.split(".").map(Number);
    const isOld = major < VERSION_MIN[0] || (major === VERSION_MIN[0] && minor < VERSION_MIN[1]);
    if (!isOld) return { status: "healthy", version };
    const problem = `Icinga ${version} is older than ${VERSION_MIN.join(".")}, the first version that this works with.`;
    return { status: "degraded", version, problem, wayOut: "Update Icinga 2." };
  } catch (error) {
    if (!(error instanceof ConnectorError)) throw error;
    const wayOut =
      error.errorKind === "authentication" || error.errorKind === "authorization"
        ? "Correct user and secret, and the permissions of the ApiUser: objects/*, actions/*, status/query."
        : "Look at `url`, at the feature api of Icinga, and at what stands between.";
    return { status: "unhealthy", version: undefined, problem: error.message, wayOut };
  }
}
