import { type Connector, ConnectorError, defineConnector, type Health, type ProviderAccess } from "@tutti/connector-kit";
import { repositoryId, resticFunctions } from "./functions.ts";
import { CONFIGURATION, CREDENTIALS, Restic, type ResticEnvironment } from "./restic.ts";
import { listSnapshots, Snapshot } from "./snapshots.ts";

export interface ResticConnectorOptions {
  /** Of this process; restic gets what it needs of it: where programs and its cache are, and what ssh asks for. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

const PASSED_ON = ["HOME", "SSH_AUTH_SOCK", "XDG_CACHE_HOME", "TMPDIR"];
const SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin";

/** Backups of Tutti's machine in a repository of restic. */
export function resticConnector(options: ResticConnectorOptions = {}): Connector {
  const given = options.environment ?? {};
  const kept = PASSED_ON.map((name) => [name, given[name]] as const).filter(
    (each): each is readonly [string, string] => each[1] !== undefined,
  );
  const environment = {
    ...Object.fromEntries(kept),
    LC_ALL: "C",
    PATH: given["PATH"] === undefined ? SYSTEM_PATH : `${given["PATH"]}:${SYSTEM_PATH}`,
  };
  return defineConnector({
    name: "restic",
    version: "1.0.0",
    target: { system: "restic", tested: "0.14" },
    configuration: CONFIGURATION,
    credentials: CREDENTIALS,
    check: (access) => check(environment, access),
    resources: {
      snapshot: {
        title: "A backup",
        schema: Snapshot,
        id: (snapshot) => Snapshot.parse(snapshot).snapshot,
        token: (snapshot) => Snapshot.parse(snapshot).token ?? undefined,
        read: async (id, access) => (await listSnapshots(new Restic(environment, access))).find(({ snapshot }) => snapshot === id),
        list: async (access) => listSnapshots(new Restic(environment, access)),
      },
    },
    functions: resticFunctions(environment),
  });
}

async function check(environment: ResticEnvironment, access: ProviderAccess): Promise<Health> {
  try {
    const restic = new Restic(environment, access);
    const { stdout } = await restic.run(["version"], { changes: false });
    const version = /^restic (\d+\.\d+\.\d+)/.exec(stdout)?.[1];
    if (version === undefined) throw restic.strange();
    await repositoryId(restic);
    return { status: "healthy", version };
  } catch (error) {
    if (!(error instanceof ConnectorError)) throw error;
    const wayOut =
      error.errorKind === "authentication"
        ? "Correct the secrets of the provider's credentials."
        : "Look at the provider's repository and its server; `backup.init` makes a repository that is not there.";
    return { status: "unhealthy", version: undefined, problem: error.message, wayOut };
  }
}
