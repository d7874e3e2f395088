import type { Connection } from "./connection.ts";
import type { SettingName } from "./write-job.ts";

/** A number that the store keeps about itself; 0 until it is set. */
export function readSetting(connection: Connection, name: SettingName): number {
  return Number(connection.sql("select value from setting where name = ?").get(name)?.["value"] ?? 0);
}

export function writeSetting(connection: Connection, name: SettingName, value: number): void {
  connection
    .sql("insert into setting (name, value) values (?, ?) on conflict (name) do update set value = excluded.value")
    .run(name, value);
}

/** Counts a setting up by one and gives the new value. */
export function countUp(connection: Connection, name: SettingName): number {
  const row = connection
    .sql("insert into setting (name, value) values (?, 1) on conflict (name) do update set value = value + 1 returning value")
    .get(name);
  return Number(row?.["value"]);
}
