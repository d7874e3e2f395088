import type { Connector } from "@tutti/connector-kit";
import { loadMember, loadServers, Member, memberId, shown } from "./members.ts";
import { RuntimeApi } from "./runtime-api.ts";

export const RESOURCES: NonNullable<Connector["resources"]> = {
  poolMember: {
    title: "A server of a pool",
    schema: Member,
    id: (member) => memberId(Member.parse(member)),
    token: (member) => Member.parse(member).token ?? undefined,
    read: async (id, access) => {
      const [pool = "", name = ""] = id.split("/");
      const found = await loadMember(new RuntimeApi(access), pool, name);
      return found === undefined ? undefined : shown(found.member);
    },
    list: async (access) => ((await loadServers(new RuntimeApi(access)))?.members ?? []).map(({ member }) => shown(member)),
  },
};
