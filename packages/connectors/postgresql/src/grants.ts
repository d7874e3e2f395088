import { z } from "@tutti/connector-kit";
import { idOf, quoted } from "./names.ts";
import type { Session } from "./session.ts";

/** Objects that one call looks at; a schema with more is given rights by its owner's default privileges. */
const OBJECTS_MAX = 5000;

export const OBJECT_TYPES = ["database", "schema", "table", "sequence"] as const;
export type ObjectType = (typeof OBJECT_TYPES)[number];

/** What there is to be granted on each type of object, for `all`. */
export const PRIVILEGES: Readonly<Record<ObjectType, readonly string[]>> = {
  database: ["CONNECT", "CREATE", "TEMPORARY"],
  schema: ["CREATE", "USAGE"],
  table: ["DELETE", "INSERT", "REFERENCES", "SELECT", "TRIGGER", "TRUNCATE", "UPDATE"],
  sequence: ["SELECT", "UPDATE", "USAGE"],
};

/** The role of rights that everybody has. */
export const EVERYBODY = "public";

export const Privileges = z.strictObject({
  /** In the order of the alphabet. */
  privileges: z.array(z.string()),
  /** Those of them that the role may grant to others. */
  grantable: z.array(z.string()),
});
export type Privileges = z.infer<typeof Privileges>;

const Place = z.strictObject({ database: z.string(), type: z.enum(OBJECT_TYPES), schema: z.string(), name: z.string() });
/** What a role may do with an object. Schema and name are empty where the type has none. */
export const Grant = Place.extend({ role: z.string(), ...Privileges.shape });
export type Grant = z.infer<typeof Grant>;

/** A grant now, and what it would be if nobody had ever granted anything. */
export interface GrantState {
  readonly now: Grant;
  readonly usual: Privileges;
}

export function grantId({ database, type, schema, name, role }: Omit<Grant, keyof Privileges>): string {
  return idOf(database, type, ...[schema, name].filter((each) => each !== ""), role);
}

const OBJECTS = `
  SELECT 'database' AS type, '' AS schema, '' AS name, datacl AS acl, pg_catalog.acldefault('d', datdba) AS usual
  FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()
  UNION ALL
  SELECT 'schema', nspname, '', nspacl, pg_catalog.acldefault('n', nspowner)
  FROM pg_catalog.pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
  UNION ALL
  SELECT CASE WHEN relkind = 'S' THEN 'sequence' ELSE 'table' END, nspname, relname, relacl,
    pg_catalog.acldefault(CASE WHEN relkind = 'S' THEN 's'::"char" ELSE 'r'::"char" END, relowner)
  FROM pg_catalog.pg_class JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace
  WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND nspname !~ '^pg_' AND nspname <> 'information_schema'`;

const Entry = z.object({
  type: z.enum(OBJECT_TYPES),
  schema: z.string(),
  name: z.string(),
  role: z.string(),
  privilege: z.string(),
  grantable: z.boolean(),
  usual: z.boolean(),
});

/** All that is granted in a database and is not so anyway. */
export async function listGrants(session: Session): Promise<readonly Grant[]> {
  const entries = await session.ask(
    Entry,
    `SELECT o.type, o.schema, o.name, CASE WHEN e.grantee = 0 THEN 'public' ELSE pg_catalog.pg_get_userbyid(e.grantee) END AS role,
       e.privilege_type AS privilege, e.is_grantable AS grantable, e.usual
     FROM (${OBJECTS}) o, LATERAL (
       SELECT grantee, privilege_type, is_grantable, false AS usual FROM pg_catalog.aclexplode(o.acl)
       UNION ALL SELECT grantee, privilege_type, is_grantable, true FROM pg_catalog.aclexplode(o.usual)) e
     WHERE o.acl IS NOT NULL ORDER BY 1, 2, 3, 4, 5`,
  );
  const byId = new Map<string, (typeof entries)[number][]>();
  for (const entry of entries) {
    const id = grantId({ database: session.database, ...entry });
    byId.set(id, [...(byId.get(id) ?? []), entry]);
  }
  return [...byId.values()].flatMap((all) => {
    const [first] = all;
    if (first === undefined) return [];
    const now = privilegesOf(all.filter(({ usual }) => !usual));
    if (isSame(now, privilegesOf(all.filter(({ usual }) => usual)))) return [];
    const { type, schema, name, role } = first;
    return [{ database: session.database, type, schema, name, role, ...now }];
  });
}

/** One object, or all tables or sequences of a schema. */
export interface Target {
  readonly type: ObjectType;
  readonly schema: string;
  /** Undefined: all of that type in the schema. */
  readonly name: string | undefined;
  readonly role: string;
}

const Found = z.object({
  type: z.enum(OBJECT_TYPES),
  schema: z.string(),
  name: z.string(),
  entries: z.array(z.object({ privilege: z.string(), grantable: z.boolean(), usual: z.boolean() })),
});

/**
 * What a role has now on the objects.
 *
 * @throws ConnectorError `validation`: there is no such role or object, or there are too many.
 */
export async function loadGrants(session: Session, target: Target): Promise<readonly GrantState[]> {
  const { type, schema, name, role } = target;
  const [known] = await session.ask(
    z.object({ oid: z.number() }),
    "SELECT 0::oid AS oid WHERE $1 = 'public' UNION ALL SELECT oid FROM pg_catalog.pg_roles WHERE rolname = $1",
    [role],
  );
  if (known === undefined) throw session.refusal(`There is no role ${role}: make it with role.create first; public means everybody.`);
  const found = await session.ask(
    Found,
    `SELECT o.type, o.schema, o.name, coalesce((SELECT pg_catalog.json_agg(e) FROM (
       SELECT privilege_type AS privilege, is_grantable AS grantable, false AS usual
       FROM pg_catalog.aclexplode(coalesce(o.acl, o.usual)) WHERE grantee = $4
       UNION ALL SELECT privilege_type, is_grantable, true FROM pg_catalog.aclexplode(o.usual) WHERE grantee = $4) e), '[]') AS entries
     FROM (${OBJECTS}) o WHERE o.type = $1 AND o.schema = $2 AND ($3::text IS NULL OR o.name = $3) ORDER BY o.name LIMIT ${OBJECTS_MAX + 1}`,
    [type, schema, name ?? null, known.oid],
  );
  if (found.length === 0 && name !== undefined)
    throw session.refusal(`There is no ${type} ${[schema, name].filter((each) => each !== "").join(".")} in database ${session.database}.`);
  if (found.length > OBJECTS_MAX) throw session.refusal(`Schema ${schema} has more than ${OBJECTS_MAX} of them: name them one by one.`);
  return found.map(({ entries, ...place }) => ({
    now: { database: session.database, ...place, role, ...privilegesOf(entries.filter(({ usual }) => !usual)) },
    usual: privilegesOf(entries.filter(({ usual }) => usual)),
  }));
}

/** Brings one object's grant from `now` to `wanted`. */
export async function applyGrant(session: Session, now: Grant, wanted: Privileges): Promise<void> {
  const on = `ON ${objectOf(now)}`;
  const role = now.role === EVERYBODY ? "PUBLIC" : quoted(now.role);
  const without = (all: readonly string[], others: readonly string[]): readonly string[] => all.filter((each) => !others.includes(each));
  const orders: readonly (readonly [readonly string[], (words: string) => string])[] = [
    [without(now.privileges, wanted.privileges), (words) => `REVOKE ${words} ${on} FROM ${role}`],
    [
      without(now.grantable, wanted.grantable).filter((each) => wanted.privileges.includes(each)),
      (words) => `REVOKE GRANT OPTION FOR ${words} ${on} FROM ${role}`,
    ],
    [without(without(wanted.privileges, now.privileges), wanted.grantable), (words) => `GRANT ${words} ${on} TO ${role}`],
    [without(wanted.grantable, now.grantable), (words) => `GRANT ${words} ${on} TO ${role} WITH GRANT OPTION`],
  ];
  for (const [privileges, order] of orders) if (privileges.length > 0) await session.order(order(privileges.join(", ")));
}

export function isSame(one: Privileges, other: Privileges): boolean {
  const text = ({ privileges, grantable }: Privileges): string => `${privileges.toSorted().join()};${grantable.toSorted().join()}`;
  return text(one) === text(other);
}

function objectOf({ database, type, schema, name }: Grant): string {
  if (type === "database") return `DATABASE ${quoted(database)}`;
  if (type === "schema") return `SCHEMA ${quoted(schema)}`;
  return `${type.toUpperCase()} ${quoted(schema)}.${quoted(name)}`;
}

/** Several roles may have granted the same. */
function privilegesOf(entries: readonly { readonly privilege: string; readonly grantable: boolean }[]): Privileges {
  const names = (all: typeof entries): string[] => [...new Set(all.map(({ privilege }) => privilege))].toSorted();
  return { privileges: names(entries), grantable: names(entries.filter(({ grantable }) => grantable)) };
}
