import type { Connector, ProviderAccess } from "@tutti/connector-kit";
import type { Json } from "@tutti/model";
import { loadAllEntries, loadEntries } from "./entries.ts";
import { AclEntry, aclEntryOf, entryId, MapEntry, mapEntryOf } from "./entry-functions.ts";
import { loadMember, loadServers, Member, memberId, shown } from "./members.ts";
import { FileName, PoolName } from "./names.ts";
import { RuntimeApi } from "./runtime-api.ts";

export const RESOURCES: NonNullable<Connector["resources"]> = {
  "pool-member": {
    title: "A server of a pool",
    schema: Member,
    id: (member) => memberId(Member.parse(member)),
    token: (member) => Member.parse(member).token ?? undefined,
    read: async (id, access) => {
      const [pool = "", name = ""] = id.split("/");
      if (!PoolName.safeParse(pool).success) return nothing(access);
      const found = await loadMember(new RuntimeApi(access), pool, name);
      return found === undefined ? undefined : shown(found.member);
    },
    list: async (access) => ((await loadServers(new RuntimeApi(access)))?.members ?? []).map(({ member }) => shown(member)),
  },
  "map-entry": {
    title: "An entry of a map",
    schema: MapEntry,
    id: (entry) => {
      const { map, key } = MapEntry.parse(entry);
      return entryId(map, key);
    },
    read: async (id, access) => {
      const [map = "", key = ""] = id.split(" ");
      if (!FileName.safeParse(map).success) return nothing(access);
      const found = (await loadEntries(new RuntimeApi(access), "map", map))?.find((entry) => entry.key === key);
      return found === undefined ? undefined : mapEntryOf(found);
    },
    list: async (access) => (await loadAllEntries(new RuntimeApi(access), "map")).map(mapEntryOf),
  },
  "acl-entry": {
    title: "A pattern of an ACL",
    schema: AclEntry,
    id: (entry) => {
      const { acl, pattern } = AclEntry.parse(entry);
      return entryId(acl, pattern);
    },
    read: async (id, access) => {
      const [acl = "", pattern = ""] = id.split(" ");
      if (!FileName.safeParse(acl).success) return nothing(access);
      const found = (await loadEntries(new RuntimeApi(access), "acl", acl))?.find((entry) => entry.key === pattern);
      return found === undefined ? undefined : aclEntryOf(found);
    },
    list: async (access) => (await loadAllEntries(new RuntimeApi(access), "acl")).map(aclEntryOf),
  },
};

/** What nothing can be named is not there, and is no part of a command; if there is anybody to ask. */
async function nothing(access: ProviderAccess): Promise<Json | undefined> {
  await loadServers(new RuntimeApi(access));
  return undefined;
}
