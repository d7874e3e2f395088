import { AppError } from "@tutti/model";
import { compareVersions, type DefinitionKey, type DefinitionRow, highestVersion } from "@tutti/store";
import { rowChecksum } from "./checksum.ts";
import type { Connection } from "./connection.ts";

const COLUMNS = "namespace, name, version, digest, base_directory, published_at, body, crc, pinned";

export function putDefinition(connection: Connection, definition: DefinitionRow): "created" | "unchanged" | "conflict" {
  const known = readDefinition(connection, definition.namespace, definition.name, definition.version);
  if (known !== undefined) return known.text === definition.text ? "unchanged" : "conflict";
  const { namespace, name, version, digest, baseDirectory, publishedAtMs, text } = definition;
  connection
    .sql(`insert into definition (${COLUMNS}) values (?, ?, ?, ?, ?, ?, ?, ?, ?)`)
    .run(
      namespace,
      name,
      version,
      digest,
      baseDirectory ?? null,
      publishedAtMs,
      text,
      definitionChecksum(definition),
      definition.references ?? null,
    );
  return "created";
}

export function loadDefinition(connection: Connection, key: DefinitionKey): DefinitionRow | undefined {
  const version = key.version === "latest" ? latestVersion(connection, key.namespace, key.name) : key.version;
  return version === undefined ? undefined : readDefinition(connection, key.namespace, key.name, version);
}

export function loadDefinitionByDigest(connection: Connection, digest: string): DefinitionRow | undefined {
  const row = connection.sql(`select ${COLUMNS} from definition where digest = ? limit 1`).get(digest);
  return row === undefined ? undefined : definitionOf(row);
}

export function listDefinitions(connection: Connection): readonly Omit<DefinitionRow, "text">[] {
  return connection
    .sql("select namespace, name, version, digest, base_directory, published_at from definition order by namespace, name")
    .all()
    .map(headOf)
    .toSorted((a, b) => (a.namespace === b.namespace && a.name === b.name ? compareVersions(a.version, b.version) : 0));
}

/** @throws AppError `store-damaged` when the row does not match its checksum. */
export function definitionOf(row: Record<string, unknown>): DefinitionRow {
  const pinned = row["pinned"];
  const definition = { ...headOf(row), text: String(row["body"]), ...(typeof pinned === "string" && { references: pinned }) };
  if (definitionChecksum(definition) !== row["crc"]) {
    const { namespace, name, version } = definition;
    throw new AppError("store-damaged", `The workflow ${namespace}/${name}@${version} does not match its checksum.`);
  }
  return definition;
}

function readDefinition(connection: Connection, namespace: string, name: string, version: string): DefinitionRow | undefined {
  const row = connection
    .sql(`select ${COLUMNS} from definition where namespace = ? and name = ? and version = ?`)
    .get(namespace, name, version);
  return row === undefined ? undefined : definitionOf(row);
}

function latestVersion(connection: Connection, namespace: string, name: string): string | undefined {
  const rows = connection.sql("select version from definition where namespace = ? and name = ?").all(namespace, name);
  return highestVersion(rows.map((row) => String(row["version"])));
}

function headOf(row: Record<string, unknown>): Omit<DefinitionRow, "text"> {
  return {
    namespace: String(row["namespace"]),
    name: String(row["name"]),
    version: String(row["version"]),
    digest: String(row["digest"]),
    baseDirectory: typeof row["base_directory"] === "string" ? row["base_directory"] : undefined,
    publishedAtMs: Number(row["published_at"]),
  };
}

function definitionChecksum(definition: DefinitionRow): number {
  const { namespace, name, version, digest, baseDirectory, publishedAtMs, text, references } = definition;
  const values = [namespace, name, version, digest, baseDirectory ?? null, publishedAtMs, text];
  // Rows from before references had no such value.
  return rowChecksum(references === undefined ? values : [...values, references]);
}
