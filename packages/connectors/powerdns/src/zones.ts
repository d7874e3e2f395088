import { ConnectorError, z } from "@tutti/connector-kit";
import type { Json } from "@tutti/model";
import { zoneId } from "./names.ts";
import type { PowerdnsApi } from "./powerdns-api.ts";
import { isSameType, type RecordSet, recordSetOf, RrsetAnswer } from "./record-sets.ts";

export const ZoneKind = z
  .enum(["Native", "Master", "Slave"])
  .meta({ description: "Native: the database replicates; Master, Slave: by zone transfer" });

/** A zone without what changes by itself (serials, times of transfers). */
export const Zone = z.strictObject({
  name: z.string(),
  kind: z.string(),
  masters: z.array(z.string()),
  dnssec: z.boolean(),
  /** PowerDNS' account of the zone: whose it is; for zones of ours the token of the call that made it. */
  account: z.string(),
});
export type Zone = z.infer<typeof Zone>;

export const ZoneAnswer = z.object({
  name: z.string(),
  kind: z.string(),
  masters: z.array(z.string()).default([]),
  dnssec: z.boolean().default(false),
  account: z.string().default(""),
  soa_edit_api: z.string().default(""),
  rrsets: z.array(RrsetAnswer).default([]),
});
export type ZoneAnswer = z.infer<typeof ZoneAnswer>;

export function zoneOf({ name, kind, masters, dnssec, account }: ZoneAnswer): Zone {
  return { name, kind, masters: masters.toSorted(), dnssec, account };
}

/** The zone with its record sets, or those of one name and type; undefined when it is not there. */
export async function loadZone(
  api: PowerdnsApi,
  zone: string,
  only?: { readonly name: string; readonly type: string },
): Promise<ZoneAnswer | undefined> {
  const query = only === undefined ? "" : `?rrset_name=${encodeURIComponent(only.name)}&rrset_type=${only.type}`;
  const request = { method: "GET", path: `/zones/${zoneId(zone)}${query}`, allow: [404] } as const;
  const answer = await api.send(request);
  return answer.status === 404 ? undefined : api.read(request, answer, ZoneAnswer);
}

export async function listZones(api: PowerdnsApi): Promise<readonly Zone[]> {
  const request = { method: "GET", path: "/zones" } as const;
  return api.read(request, await api.send(request), z.array(ZoneAnswer)).map(zoneOf);
}

/** The record set, null when the zone has none. @throws ConnectorError `validation` when there is no such zone. */
export async function loadRecordSet(api: PowerdnsApi, zone: string, name: string, type: string): Promise<RecordSet | null> {
  const found = await loadZone(api, zone, { name, type });
  if (found === undefined) throw noZone(zone);
  return recordSetIn(found, name, type);
}

/** Versions before 4.7 do not know the filter and answer with the whole zone. */
export function recordSetIn(zone: ZoneAnswer, name: string, type: string): RecordSet | null {
  const rrset = zone.rrsets.find((each) => isSameType(each, name, type));
  return rrset === undefined ? null : recordSetOf(rrset);
}

export function noZone(zone: string): ConnectorError {
  return refusal(`There is no zone ${zone}: zone.create:1 makes it, and zone.list:1 shows those there are.`);
}

/** The target has said what is so, and it won't change by asking again. */
export function refusal(message: string, detail?: Json): ConnectorError {
  return new ConnectorError(message, { kind: "validation", outcome: "answered", ...(detail === undefined ? {} : { detail }) });
}
