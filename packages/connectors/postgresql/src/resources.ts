import { type ProviderAccess, type ResourceType, type z } from "@tutti/connector-kit";
import type { Json } from "@tutti/model";
import { Database, listDatabases, loadDatabase, openDatabases } from "./databases.ts";
import { Extension, listExtensions } from "./extensions.ts";
import { Grant, grantId, listGrants } from "./grants.ts";
import { listMemberships, Membership } from "./memberships.ts";
import { idOf } from "./names.ts";
import { serverOf } from "./provider.ts";
import { listRoles, loadRole, Role } from "./roles.ts";
import { listSchemas, Schema } from "./schemas.ts";
import { type Deps, inSession, type Session } from "./session.ts";

export function postgresqlResources(deps: Deps): Readonly<Record<string, ResourceType>> {
  return {
    database: {
      title: "A database",
      schema: Database,
      id: (database) => Database.parse(database).name,
      token: (database) => Database.parse(database).token ?? undefined,
      read: (id, access) => inSession(deps, access, {}, (session) => loadDatabase(session, id)),
      list: async (access) => [...(await inSession(deps, access, {}, (session) => listDatabases(session)))],
    },
    role: {
      title: "A role: a user, or a group of users",
      schema: Role,
      id: (role) => Role.parse(role).name,
      token: (role) => Role.parse(role).token ?? undefined,
      read: (id, access) => inSession(deps, access, {}, (session) => loadRole(session, id)),
      list: async (access) => [...(await inSession(deps, access, {}, (session) => listRoles(session)))],
    },
    membership: {
      title: "That a role is a member of another",
      schema: Membership,
      id: membershipId,
      read: async (id, access) => {
        const all = await inSession(deps, access, {}, (session) => listMemberships(session));
        return all.find((each) => membershipId(each) === id);
      },
      list: async (access) => [...(await inSession(deps, access, {}, (session) => listMemberships(session)))],
    },
    schema: ofDatabases(deps, {
      title: "A schema of a database",
      schema: Schema,
      id: (schema) => {
        const { database, name } = Schema.parse(schema);
        return idOf(database, name);
      },
      token: (schema) => Schema.parse(schema).token ?? undefined,
      listIn: listSchemas,
    }),
    extension: ofDatabases(deps, {
      title: "An extension of a database",
      schema: Extension,
      id: (extension) => {
        const { database, name } = Extension.parse(extension);
        return idOf(database, name);
      },
      listIn: async (session) => (await listExtensions(session)).map(({ extension }) => extension),
    }),
    grant: ofDatabases(deps, {
      title: "What a role may do with an object, where somebody has granted or revoked",
      schema: Grant,
      id: (grant) => grantId(Grant.parse(grant)),
      listIn: listGrants,
    }),
  };
}

function membershipId(membership: Json): string {
  const { role, member } = Membership.parse(membership);
  return idOf(role, member);
}

/** What is kept per database. Its id begins with the database's name. */
function ofDatabases(
  deps: Deps,
  type: Pick<ResourceType, "title" | "id" | "token"> & {
    readonly schema: z.ZodType;
    readonly listIn: (session: Session) => Promise<readonly Json[]>;
  },
): ResourceType {
  const { listIn, ...described } = type;
  const databases = async (access: ProviderAccess): Promise<readonly string[]> =>
    serverOf(deps.network, access).databases ?? (await inSession(deps, access, {}, openDatabases));
  return {
    ...described,
    read: async (id, access) => {
      const database = decodeURIComponent(id.split("/")[0] ?? "");
      if (!(await databases(access)).includes(database)) return undefined;
      return (await inSession(deps, access, { database }, listIn)).find((each) => described.id(each) === id);
    },
    list: async (access) => {
      const all: Json[] = [];
      // One after the other: a list is no hurry, and the server has others to answer.
      for (const database of await databases(access)) all.push(...(await inSession(deps, access, { database }, listIn)));
      return all;
    },
  };
}
