import type { HttpClient } from "@tutti/connector-http";
import { type ResourceType, z } from "@tutti/connector-kit";
import type { Json } from "@tutti/model";
import { PowerdnsApi } from "./powerdns-api.ts";
import { RecordSet, recordSetOf, shownSet } from "./record-sets.ts";
import { listZones, loadZone, recordSetIn, Zone, type ZoneAnswer, zoneOf } from "./zones.ts";

export const PlacedRecordSet = RecordSet.extend({ zone: z.string(), name: z.string(), type: z.string() });
export type PlacedRecordSet = z.infer<typeof PlacedRecordSet>;

/** Zone, name and type: the same name may stand in a zone and, as its delegation, in the zone above. */
export function recordSetId({ zone, name, type }: { readonly zone: string; readonly name: string; readonly type: string }): string {
  return `${zone} ${name} ${type}`;
}

/** All record sets of a zone but its SOA, which changes by itself. */
export function recordSetsIn(zone: ZoneAnswer): readonly PlacedRecordSet[] {
  return zone.rrsets
    .filter(({ type }) => type !== "SOA")
    .map((each) => ({ zone: zone.name, name: each.name, type: each.type, ...shownSet(recordSetOf(each)) }));
}

/** How the accounts that hold a token of ours look. */
const TOKEN = /^tok_[0-9a-f]{32}$/;

export function powerdnsResources(http: HttpClient): Readonly<Record<string, ResourceType>> {
  return {
    zone: {
      title: "A zone",
      schema: Zone,
      id: (zone) => Zone.parse(zone).name,
      token: (zone) => {
        const { account } = Zone.parse(zone);
        return TOKEN.test(account) ? account : undefined;
      },
      read: async (id, access) => {
        const zone = await loadZone(new PowerdnsApi(http, access), id, { name: id, type: "SOA" });
        return zone === undefined ? undefined : zoneOf(zone);
      },
      list: async (access) => [...(await listZones(new PowerdnsApi(http, access)))],
    },
    recordset: {
      title: "All records of one name and type",
      schema: PlacedRecordSet,
      id: (recordSet) => recordSetId(PlacedRecordSet.parse(recordSet)),
      token: (recordSet) => PlacedRecordSet.parse(recordSet).token ?? undefined,
      read: async (id, access) => {
        const [zone = "", name = "", type = ""] = id.split(" ");
        const found = await loadZone(new PowerdnsApi(http, access), zone, { name, type });
        const recordSet = found === undefined ? null : recordSetIn(found, name, type);
        return recordSet === null ? undefined : { zone, name, type, ...shownSet(recordSet) };
      },
      list: async (access) => {
        const api = new PowerdnsApi(http, access);
        const all: Json[] = [];
        // One after the other: a list is no hurry, and the server has others to answer.
        for (const { name } of await listZones(api)) {
          const zone = await loadZone(api, name);
          if (zone !== undefined) all.push(...recordSetsIn(zone));
        }
        return all;
      },
    },
  };
}
