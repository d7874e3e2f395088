import { z } from "@tutti/connector-kit";
import { readComment, tokenInName } from "./names.ts";
import type { Session } from "./session.ts";

export const Database = z.strictObject({
  name: z.string(),
  owner: z.string(),
  encoding: z.string(),
  collate: z.string(),
  /** -1 is no limit. */
  connectionLimit: z.number(),
  allowConnections: z.boolean(),
  isTemplate: z.boolean(),
  comment: z.string().nullable(),
  token: z.string().nullable(),
});
export type Database = z.infer<typeof Database>;

const Row = Database.omit({ token: true });

export async function listDatabases(session: Session, name?: string): Promise<readonly Database[]> {
  const rows = await session.ask(
    Row,
    `SELECT d.datname AS name, pg_catalog.pg_get_userbyid(d.datdba) AS owner, pg_catalog.pg_encoding_to_char(d.encoding) AS encoding,
       d.datcollate AS collate, d.datconnlimit AS "connectionLimit", d.datallowconn AS "allowConnections", d.datistemplate AS "isTemplate",
       pg_catalog.shobj_description(d.oid, 'pg_database') AS comment
     FROM pg_catalog.pg_database d WHERE $1::text IS NULL OR d.datname = $1 ORDER BY d.datname`,
    [name ?? null],
  );
  return rows.map((row) => {
    const marked = readComment(row.comment);
    return { ...row, comment: marked.comment, token: marked.token ?? tokenInName(row.name) };
  });
}

export async function loadDatabase(session: Session, name: string): Promise<Database | undefined> {
  return (await listDatabases(session, name))[0];
}

/** The databases that this login may work in. */
export async function openDatabases(session: Session): Promise<readonly string[]> {
  const rows = await session.ask(
    z.object({ name: z.string() }),
    `SELECT datname AS name FROM pg_catalog.pg_database
     WHERE datallowconn AND pg_catalog.has_database_privilege(oid, 'CONNECT') ORDER BY datname`,
  );
  return rows.map(({ name }) => name);
}
