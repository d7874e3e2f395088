import { AppError } from "@tutti/model";
import type { ScheduleRow } from "@tutti/store";
import { rowChecksum } from "./checksum.ts";
import type { Connection } from "./connection.ts";

const COLUMNS = "tenant, namespace, name, is_enabled, event_position, revision, body, crc";

/** Writes the row when its revision is the next one. */
export function putSchedule(connection: Connection, row: ScheduleRow): "written" | "conflict" {
  const known = connection
    .sql("select revision from schedule where tenant = ? and namespace = ? and name = ?")
    .get(row.tenant, row.namespace, row.name);
  if (row.revision !== Number(known?.["revision"] ?? 0) + 1) return "conflict";
  connection
    .sql(
      `insert into schedule (${COLUMNS}) values (?, ?, ?, ?, ?, ?, ?, ?)
       on conflict (tenant, namespace, name) do update set is_enabled = excluded.is_enabled, event_position = excluded.event_position,
         revision = excluded.revision, body = excluded.body, crc = excluded.crc`,
    )
    .run(...valuesOf(row), rowChecksum(valuesOf(row)));
  return "written";
}

export function loadSchedule(connection: Connection, tenant: string, namespace: string, name: string): ScheduleRow | undefined {
  const row = connection
    .sql(`select ${COLUMNS} from schedule where tenant = ? and namespace = ? and name = ?`)
    .get(tenant, namespace, name);
  return row === undefined ? undefined : scheduleOf(row);
}

export function listSchedules(connection: Connection, tenant: string): readonly ScheduleRow[] {
  return connection.sql(`select ${COLUMNS} from schedule where tenant = ? order by namespace, name`).all(tenant).map(scheduleOf);
}

/** @throws AppError `store-damaged` when the row does not match its checksum. */
export function scheduleOf(row: Record<string, unknown>): ScheduleRow {
  const schedule: ScheduleRow = {
    tenant: String(row["tenant"]),
    namespace: String(row["namespace"]),
    name: String(row["name"]),
    isEnabled: row["is_enabled"] === 1,
    eventPosition: row["event_position"] === null ? undefined : Number(row["event_position"]),
    revision: Number(row["revision"]),
    body: String(row["body"]),
  };
  if (rowChecksum(valuesOf(schedule)) !== row["crc"])
    throw new AppError("store-damaged", `The schedule of ${schedule.namespace}/${schedule.name} does not match its checksum.`);
  return schedule;
}

function valuesOf(row: ScheduleRow): (string | number | null)[] {
  return [row.tenant, row.namespace, row.name, row.isEnabled ? 1 : 0, row.eventPosition ?? null, row.revision, row.body];
}
