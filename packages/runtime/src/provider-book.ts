import { type AttemptProvider, type Connector, ConnectorError, type Health } from "@tutti/connector-kit";
import { DEFAULT_TENANT, type Json, type JsonObject } from "@tutti/model";
import type { ProviderRow, Store } from "@tutti/store";
import type { SecretBook } from "./secrets.ts";

/** What the body of a provider's row holds. */
export interface StoredProvider {
  readonly configuration: JsonObject;
  /** Per credential the name of the secret that it is. */
  readonly credentials: Readonly<Record<string, string>>;
  /** The last look at it. */
  readonly health?: { readonly atMs: number; readonly found: Health };
}

export function storedProvider(row: ProviderRow): StoredProvider {
  // Written by us, and compared with its checksum when it was read.
  return JSON.parse(row.body) as StoredProvider;
}

/** Finds the provider of a call and resolves its credentials. Nothing is kept: what is stored when an attempt begins is what counts. */
export class ProviderBook {
  readonly #store: Store;
  readonly #secrets: SecretBook;

  constructor(store: Store, secrets: SecretBook) {
    this.#store = store;
    this.#secrets = secrets;
  }

  /**
   * The provider that a call of `connector` works on: the one named, else the connector's only one.
   *
   * @throws ConnectorError `configuration`, never-began, naming the providers there are; AppError `secret-not-found`.
   */
  async forCall(connector: Connector, named: Json | undefined): Promise<AttemptProvider> {
    return this.resolve(await this.#find(connector, named));
  }

  /** The provider with the values of its credentials. @throws AppError `secret-not-found`. */
  async resolve(row: ProviderRow): Promise<AttemptProvider> {
    const { configuration, credentials } = storedProvider(row);
    const values: [string, Json][] = [];
    for (const [credential, secret] of Object.entries(credentials)) values.push([credential, await this.#secrets.resolve(secret)]);
    return { name: row.name, configuration, credentials: Object.fromEntries(values) };
  }

  async #find(connector: Connector, named: Json | undefined): Promise<ProviderRow> {
    if (named === undefined || named === null) return this.#only(connector);
    if (typeof named !== "string") throw refused(`\`provider\` is the name of a provider, a text; the call gave ${JSON.stringify(named)}.`);
    const row = await this.#store.loadProvider(DEFAULT_TENANT, named);
    if (row?.connector === connector.name) return row;
    const why = row === undefined ? `There is no provider "${named}".` : `Provider "${named}" is one of connector ${row.connector}.`;
    throw refused(`${why} ${await this.#thereAre(connector)}`);
  }

  async #only(connector: Connector): Promise<ProviderRow> {
    const [first, ...others] = await this.#store.listProviders(DEFAULT_TENANT, connector.name);
    if (first !== undefined && others.length === 0) return first;
    throw refused(await this.#thereAre(connector));
  }

  async #thereAre({ name }: Connector): Promise<string> {
    const rows = await this.#store.listProviders(DEFAULT_TENANT, name);
    if (rows.length === 0) return `Connector ${name} has no provider: \`tutti provider add NAME --connector ${name}\` makes one.`;
    return `Connector ${name} has ${rows.length === 1 ? "the provider" : "the providers"} ${rows.map((row) => row.name).join(", ")}: name one in \`with.provider\`.`;
  }
}

function refused(message: string): ConnectorError {
  return new ConnectorError(message, { kind: "configuration", outcome: "never-began" });
}
