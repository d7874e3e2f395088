import type { MemoryDisk } from "./memory-disk.ts";
import { compareVersions } from "./semver.ts";
import type { DefinitionRow, ProviderRow, ScheduleRow } from "./store.ts";

export function rowKey(parts: readonly string[]): string {
  return JSON.stringify(parts);
}

/** Writes the row when its revision is the next one. */
export function putRow<Row extends { readonly revision: number }>(
  rows: Map<string, Row>,
  key: readonly string[],
  row: Row,
): "written" | "conflict" {
  if (row.revision !== (rows.get(rowKey(key))?.revision ?? 0) + 1) return "conflict";
  rows.set(rowKey(key), row);
  return "written";
}

export function schedulesOf(disk: MemoryDisk, tenant: string): readonly ScheduleRow[] {
  return [...disk.schedules.values()]
    .filter((row) => row.tenant === tenant)
    .toSorted((a, b) => compareTexts(a.namespace, b.namespace) || compareTexts(a.name, b.name));
}

export function providersOf(disk: MemoryDisk, tenant: string, connector: string | undefined): readonly ProviderRow[] {
  return [...disk.providers.values()]
    .filter((row) => row.tenant === tenant && (connector === undefined || row.connector === connector))
    .toSorted((a, b) => compareTexts(a.name, b.name));
}

/** All that was published, without the texts. */
export function definitionsOf(disk: MemoryDisk): readonly Omit<DefinitionRow, "text">[] {
  return [...disk.definitions.values()]
    .map(({ namespace, name, version, digest, baseDirectory, publishedAtMs }) => ({
      namespace,
      name,
      version,
      digest,
      baseDirectory,
      publishedAtMs,
    }))
    .toSorted((a, b) => compareTexts(a.namespace, b.namespace) || compareTexts(a.name, b.name) || compareVersions(a.version, b.version));
}

/** By code units, as SQLite compares texts of ASCII. */
export function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
