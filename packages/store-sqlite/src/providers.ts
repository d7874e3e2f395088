import { AppError } from "@tutti/model";
import type { ProviderRow } from "@tutti/store";
import { rowChecksum } from "./checksum.ts";
import type { Connection } from "./connection.ts";

const COLUMNS = "tenant, name, connector, revision, body, crc";

/** Writes the row when its revision is the next one. */
export function putProvider(connection: Connection, row: ProviderRow): "written" | "conflict" {
  const known = connection.sql("select revision from provider where tenant = ? and name = ?").get(row.tenant, row.name);
  if (row.revision !== Number(known?.["revision"] ?? 0) + 1) return "conflict";
  connection
    .sql(
      `insert into provider (${COLUMNS}) values (?, ?, ?, ?, ?, ?)
       on conflict (tenant, name) do update set connector = excluded.connector, revision = excluded.revision, body = excluded.body,
         crc = excluded.crc`,
    )
    .run(...valuesOf(row), rowChecksum(valuesOf(row)));
  return "written";
}

export function removeProvider(connection: Connection, tenant: string, name: string): boolean {
  return Number(connection.sql("delete from provider where tenant = ? and name = ?").run(tenant, name).changes) > 0;
}

export function loadProvider(connection: Connection, tenant: string, name: string): ProviderRow | undefined {
  const row = connection.sql(`select ${COLUMNS} from provider where tenant = ? and name = ?`).get(tenant, name);
  return row === undefined ? undefined : providerOf(row);
}

/** Of the tenant, or of one of its connectors. There are few: the tenant's are read by name, and those of other connectors left out. */
export function listProviders(connection: Connection, tenant: string, connector: string | undefined): readonly ProviderRow[] {
  return connection
    .sql(`select ${COLUMNS} from provider where tenant = ? and (? is null or connector = ?) order by name`)
    .all(tenant, connector ?? null, connector ?? null)
    .map(providerOf);
}

/** @throws AppError `store-damaged` when the row does not match its checksum. */
export function providerOf(row: Record<string, unknown>): ProviderRow {
  const provider: ProviderRow = {
    tenant: String(row["tenant"]),
    name: String(row["name"]),
    connector: String(row["connector"]),
    revision: Number(row["revision"]),
    body: String(row["body"]),
  };
  if (rowChecksum(valuesOf(provider)) !== row["crc"])
    throw new AppError("store-damaged", `The provider ${provider.name} does not match its checksum.`);
  return provider;
}

function valuesOf(row: ProviderRow): (string | number)[] {
  return [row.tenant, row.name, row.connector, row.revision, row.body];
}
