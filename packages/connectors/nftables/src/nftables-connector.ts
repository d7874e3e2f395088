import {
  type Connector,
  ConnectorError,
  type ConnectorFunction,
  defineConnector,
  type Health,
  parseInput,
  type ProviderAccess,
  z,
} from "@tutti/connector-kit";
import { ANSWER_MS, CONFIGURATION, Nft, type NftEnvironment } from "./nft.ts";
import { Rule, ruleId, ruleOf } from "./rules.ts";
import { PROCESSES_MAX, ruleFunctions } from "./rule-functions.ts";
import { entriesIn, entryId, SetEntry } from "./set-entries.ts";
import { setFunctions } from "./set-functions.ts";
import { isNoteTable } from "./set-notes.ts";

export interface NftablesConnectorOptions {
  /** Of this process; the program gets what it needs of it: where programs are, and what ssh asks for. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/** Where nft and nsenter are on most machines, and not on the PATH of an ordinary user. */
const SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin";
/** The first version whose JSON has comments of entries and sets with all their flags. */
const VERSION_MIN = 1;

/** Rules and sets of nftables, through `nft -j`. */
export function nftablesConnector(options: NftablesConnectorOptions = {}): Connector {
  const environment = programEnvironment(options.environment ?? {});
  return defineConnector({
    name: "nftables",
    version: "1.0.0",
    target: { system: "nftables", tested: "1.0.6" },
    configuration: CONFIGURATION,
    check: (access) => check(environment, access),
    resources: resources(environment),
    functions: { ...ruleFunctions(environment), ...setFunctions(environment), "firewall-table.list:1": listTables(environment) },
  });
}

function programEnvironment(given: Readonly<Record<string, string | undefined>>): NftEnvironment {
  const path = given["PATH"];
  const kept = Object.entries({ HOME: given["HOME"], SSH_AUTH_SOCK: given["SSH_AUTH_SOCK"] }).filter(([, value]) => value !== undefined);
  // The words that are looked for in nft's errors are those of no language.
  return {
    ...(Object.fromEntries(kept) as Record<string, string>),
    LC_ALL: "C",
    PATH: path === undefined ? SYSTEM_PATH : `${path}:${SYSTEM_PATH}`,
  };
}

function resources(environment: NftEnvironment): NonNullable<Connector["resources"]> {
  const rules = async (access: ProviderAccess): Promise<readonly Rule[]> =>
    (await new Nft(environment, access).ruleset()).rules.filter(({ table }) => !isNoteTable(table)).map(ruleOf);
  const entries = async (access: ProviderAccess): Promise<readonly SetEntry[]> => entriesIn(await new Nft(environment, access).ruleset());
  return {
    "firewall-rule": {
      title: "A rule of a chain",
      schema: Rule,
      id: (rule) => ruleId(Rule.parse(rule)),
      token: (rule) => Rule.parse(rule).token ?? undefined,
      read: async (id, access) => (await rules(access)).find((rule) => ruleId(rule) === id),
      list: rules,
    },
    "address-set-entry": {
      title: "An address or network in a set",
      schema: SetEntry,
      id: (entry) => entryId(SetEntry.parse(entry)),
      token: (entry) => SetEntry.parse(entry).token ?? undefined,
      read: async (id, access) => (await entries(access)).find((entry) => entryId(entry) === id),
      list: entries,
    },
  };
}

const Table = z.strictObject({
  family: z.string(),
  name: z.string(),
  chains: z.array(
    z.strictObject({ name: z.string(), type: z.string().nullable(), hook: z.string().nullable(), policy: z.string().nullable() }),
  ),
  sets: z.array(z.strictObject({ name: z.string(), type: z.string(), flags: z.array(z.string()) })),
});

function listTables(environment: NftEnvironment): ConnectorFunction {
  return {
    title: "List the tables with their chains and sets",
    input: z.strictObject({}),
    output: z.strictObject({ tables: z.array(Table) }),
    effect: "read",
    requestTimeoutMs: ANSWER_MS,
    settleMs: 0,
    concurrencyMax: PROCESSES_MAX,
    run: async (given, attempt) => {
      parseInput(z.strictObject({}), given);
      const { tables, chains, sets } = await new Nft(environment, attempt).ruleset();
      return {
        tables: tables
          .filter(({ name }) => !isNoteTable(name))
          .map(({ family, name }) => ({
            family,
            name,
            chains: chains
              .filter((chain) => chain.family === family && chain.table === name)
              .map((chain) => ({ name: chain.name, type: chain.type ?? null, hook: chain.hook ?? null, policy: chain.policy ?? null })),
            sets: sets
              .filter((set) => set.family === family && set.table === name)
              .map((set) => ({ name: set.name, type: [set.type].flat().join(" . "), flags: [set.flags].flat() })),
          })),
      };
    },
  };
}

async function check(environment: NftEnvironment, access: ProviderAccess): Promise<Health> {
  try {
    const { version } = await new Nft(environment, access).ruleset();
    if (Number.parseInt(version, 10) >= VERSION_MIN) return { status: "healthy", version };
    return {
      status: "degraded",
      version,
      problem: `nftables ${version} is older than ${VERSION_MIN}.0, the first version that this works with.`,
      wayOut: "Update nftables.",
    };
  } catch (error) {
    if (!(error instanceof ConnectorError)) throw error;
    const wayOut =
      error.errorKind === "authorization"
        ? "Run Tutti, or the provider's command, as a user who may change the firewall."
        : "Look at the provider's command, namespace and nft, and try the command by hand: nft -j list ruleset.";
    return { status: "unhealthy", version: undefined, problem: error.message, wayOut };
  }
}
