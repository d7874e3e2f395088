import { z } from "@tutti/connector-kit";
import { literal, readComment } from "./names.ts";
import type { Session } from "./session.ts";

const CONNECTIONS_MAX = 262_143;

/** What a role may do in the whole server. */
export const ATTRIBUTES = {
  login: z.boolean().meta({ description: "It may log in" }),
  superuser: z.boolean(),
  createDatabase: z.boolean(),
  createRole: z.boolean(),
  inherit: z.boolean().meta({ description: "It has the rights of the roles that it is a member of without asking" }),
  replication: z.boolean(),
  bypassRowSecurity: z.boolean(),
  connectionLimit: z.int().min(-1).max(CONNECTIONS_MAX).meta({ description: "Sessions at the same time; -1 is no limit" }),
  validUntil: z.iso.datetime({ offset: true }).nullable().meta({ description: "Its password is taken until then; null for ever" }),
} as const;
export const Attributes = z.strictObject(ATTRIBUTES);
export type Attributes = z.infer<typeof Attributes>;

export const ATTRIBUTE_DEFAULTS: Attributes = {
  login: false,
  superuser: false,
  createDatabase: false,
  createRole: false,
  inherit: true,
  replication: false,
  bypassRowSecurity: false,
  connectionLimit: -1,
  validUntil: null,
};

export const Role = Attributes.extend({ name: z.string(), comment: z.string().nullable(), token: z.string().nullable() });
export type Role = z.infer<typeof Role>;

const Row = Role.omit({ token: true });

/** All roles but PostgreSQL's own. Passwords are never read. */
export async function listRoles(session: Session, name?: string): Promise<readonly Role[]> {
  const rows = await session.ask(
    Row,
    `SELECT r.rolname AS name, r.rolcanlogin AS login, r.rolsuper AS superuser, r.rolcreatedb AS "createDatabase", r.rolcreaterole AS "createRole",
       r.rolinherit AS inherit, r.rolreplication AS replication, r.rolbypassrls AS "bypassRowSecurity", r.rolconnlimit AS "connectionLimit",
       CASE WHEN pg_catalog.isfinite(r.rolvaliduntil)
         THEN pg_catalog.to_char(r.rolvaliduntil AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') END AS "validUntil",
       pg_catalog.shobj_description(r.oid, 'pg_authid') AS comment
     FROM pg_catalog.pg_roles r WHERE r.rolname !~ '^pg_' AND ($1::text IS NULL OR r.rolname = $1) ORDER BY r.rolname`,
    [name ?? null],
  );
  return rows.map((row) => ({ ...row, ...readComment(row.comment) }));
}

export async function loadRole(session: Session, name: string): Promise<Role | undefined> {
  return (await listRoles(session, name))[0];
}

export function attributesOf(role: Role): Attributes {
  const { name: _, comment: __, token: ___, ...attributes } = role;
  return attributes;
}

/** What is wanted, with the time as PostgreSQL gives it back. */
export function withWholeSeconds(attributes: Attributes): Attributes {
  const { validUntil } = attributes;
  return { ...attributes, validUntil: validUntil === null ? null : `${new Date(validUntil).toISOString().slice(0, 19)}Z` };
}

/** The options of CREATE ROLE and ALTER ROLE, those only that differ from what is there: some need rights that others don't. */
export function roleOptions(wanted: Attributes, current: Attributes): readonly string[] {
  const flags = [
    ["login", "LOGIN"],
    ["superuser", "SUPERUSER"],
    ["createDatabase", "CREATEDB"],
    ["createRole", "CREATEROLE"],
    ["inherit", "INHERIT"],
    ["replication", "REPLICATION"],
    ["bypassRowSecurity", "BYPASSRLS"],
  ] as const;
  return [
    ...flags.filter(([key]) => wanted[key] !== current[key]).map(([key, word]) => (wanted[key] ? word : `NO${word}`)),
    ...(wanted.connectionLimit === current.connectionLimit ? [] : [`CONNECTION LIMIT ${wanted.connectionLimit}`]),
    ...(wanted.validUntil === current.validUntil ? [] : [`VALID UNTIL ${literal(wanted.validUntil ?? "infinity")}`]),
  ];
}
