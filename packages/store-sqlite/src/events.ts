import { AppError } from "@tutti/model";
import type { IncomingEvent, StoredEvent } from "@tutti/store";
import { rowChecksum } from "./checksum.ts";
import type { Connection } from "./connection.ts";
import { readSetting } from "./settings.ts";

const COLUMNS = "position, tenant, source, event_id, type, accepted_at, body, crc";

/** Accepts an event once per (tenant, source, id); the unique index decides. Positions are never used again, even after deletions. */
export function acceptEvent(connection: Connection, event: IncomingEvent): { readonly position: number; readonly duplicate: boolean } {
  const known = connection
    .sql("select position from event where tenant = ? and source = ? and event_id = ?")
    .get(event.tenant, event.source, event.id);
  if (known !== undefined) return { position: Number(known["position"]), duplicate: true };
  const { lastInsertRowid } = connection
    .sql("insert into event (tenant, source, event_id, type, accepted_at, body, crc) values (?, ?, ?, ?, ?, ?, ?)")
    .run(event.tenant, event.source, event.id, event.type, event.acceptedAtMs, event.body, eventChecksum(event));
  return { position: Number(lastInsertRowid), duplicate: false };
}

/** The end of the inbox: the highest position ever given. */
export function lastEventPosition(connection: Connection): number {
  return Number(connection.sql("select seq from sqlite_sequence where name = 'event'").get()?.["seq"] ?? 0);
}

/** Deletes what is older, was dispatched, and was read for every schedule. */
export function deleteEvents(connection: Connection, acceptedBeforeMs: number): number {
  const readUpTo = connection.sql("select min(event_position) as position from schedule").get()?.["position"];
  const cursor = Math.min(readSetting(connection, "dispatch-cursor"), Number(readUpTo ?? Number.POSITIVE_INFINITY));
  return Number(connection.sql("delete from event where accepted_at < ? and position <= ?").run(acceptedBeforeMs, cursor).changes);
}

export function readEvents(
  connection: Connection,
  tenant: string,
  query: { readonly afterPosition: number; readonly type: string | undefined; readonly limit: number },
): readonly StoredEvent[] {
  const rows =
    query.type === undefined
      ? connection
          .sql(`select ${COLUMNS} from event where position > ? and tenant = ? order by position limit ?`)
          .all(query.afterPosition, tenant, query.limit)
      : connection
          .sql(`select ${COLUMNS} from event where tenant = ? and type = ? and position > ? order by position limit ?`)
          .all(tenant, query.type, query.afterPosition, query.limit);
  return rows.map(eventOf);
}

export function listEvents(connection: Connection, tenant: string, limit: number): readonly StoredEvent[] {
  return connection.sql(`select ${COLUMNS} from event where tenant = ? order by position desc limit ?`).all(tenant, limit).map(eventOf);
}

/** @throws AppError `store-damaged` when the row does not match its checksum. */
export function eventOf(row: Record<string, unknown>): StoredEvent {
  const event = {
    tenant: String(row["tenant"]),
    source: String(row["source"]),
    id: String(row["event_id"]),
    type: String(row["type"]),
    acceptedAtMs: Number(row["accepted_at"]),
    body: String(row["body"]),
    position: Number(row["position"]),
  };
  if (eventChecksum(event) !== row["crc"])
    throw new AppError("store-damaged", `The event at position ${event.position} does not match its checksum.`);
  return event;
}

function eventChecksum(event: IncomingEvent): number {
  return rowChecksum([event.tenant, event.source, event.id, event.type, event.acceptedAtMs, event.body]);
}
