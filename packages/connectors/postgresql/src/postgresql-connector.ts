import { type HttpClient, httpClient } from "@tutti/connector-http";
import { type Connector, ConnectorError, defineConnector, type Health, type ProviderAccess, z } from "@tutti/connector-kit";
import { DEFAULT_POSTGRESQL_LIMITS, type PostgresqlLimits } from "./connection.ts";
import { databaseFunctions } from "./database-functions.ts";
import { extensionFunctions } from "./extension-functions.ts";
import { grantFunctions } from "./grant-functions.ts";
import { membershipFunctions } from "./membership-functions.ts";
import { CONFIGURATION, CREDENTIALS } from "./provider.ts";
import { postgresqlResources } from "./resources.ts";
import { roleFunctions } from "./role-functions.ts";
import { schemaFunctions } from "./schema-functions.ts";
import { type Deps, inSession } from "./session.ts";
import { statementFunctions } from "./statement-functions.ts";

export interface PostgresqlConnectorOptions {
  /** Whose network the connections go through: the same way out, the same authorities. */
  readonly http?: Pick<HttpClient, "network">;
  readonly limits?: Partial<PostgresqlLimits>;
}

/** The first version that can delete a database with sessions in it. */
const VERSION_MIN = 13;

const About = z.object({ version: z.string(), number: z.string(), standby: z.boolean() });

/** Databases, roles, rights, schemas and extensions of PostgreSQL, and SQL. */
export function postgresqlConnector(options: PostgresqlConnectorOptions = {}): Connector {
  const { network } = options.http ?? httpClient();
  const deps: Deps = { network, limits: { ...DEFAULT_POSTGRESQL_LIMITS, ...options.limits } };
  return defineConnector({
    name: "postgresql",
    version: "1.0.0",
    target: { system: "PostgreSQL", tested: "15" },
    configuration: CONFIGURATION,
    credentials: CREDENTIALS,
    check: (access) => check(deps, access),
    resources: postgresqlResources(deps),
    functions: {
      ...databaseFunctions(deps),
      ...roleFunctions(deps),
      ...membershipFunctions(deps),
      ...grantFunctions(deps),
      ...schemaFunctions(deps),
      ...extensionFunctions(deps),
      ...statementFunctions(deps),
    },
  });
}

async function check(deps: Deps, access: ProviderAccess): Promise<Health> {
  try {
    const [about] = await inSession(deps, access, {}, (session) =>
      session.ask(
        About,
        `SELECT pg_catalog.current_setting('server_version') AS version, pg_catalog.current_setting('server_version_num') AS number,
           pg_catalog.pg_is_in_recovery() AS standby`,
      ),
    );
    if (about === undefined) return ill("unhealthy", "The server does not tell what it is.", "Look at host and port.");
    return judged(about);
  } catch (error) {
    if (!(error instanceof ConnectorError)) throw error;
    return ill("unhealthy", error.message, wayOutOf(error));
  }
}

function judged({ version, number, standby }: z.infer<typeof About>): Health {
  if (standby) return ill("degraded", "This is a standby: it can be asked, and nothing can be changed.", "Name the primary.", version);
  if (Number(number) / 10_000 >= VERSION_MIN) return { status: "healthy", version };
  const problem = `PostgreSQL ${version} is older than ${VERSION_MIN}, the first version that this works with.`;
  return ill("degraded", problem, "Update PostgreSQL.", version);
}

function wayOutOf(error: ConnectorError): string {
  switch (error.errorKind) {
    case "authentication":
      return "Correct user and password of the provider, or pg_hba.conf of the server.";
    case "authorization":
      return "Let the role log in to this database, or the network be used.";
    default:
      return "Look at host, port, database and tls of the provider, and at what stands between.";
  }
}

function ill(status: "degraded" | "unhealthy", problem: string, wayOut: string, version?: string): Health {
  return { status, version, problem, wayOut };
}
