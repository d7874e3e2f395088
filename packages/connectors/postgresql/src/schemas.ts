import { z } from "@tutti/connector-kit";
import { readComment } from "./names.ts";
import type { Session } from "./session.ts";

export const Schema = z.strictObject({
  database: z.string(),
  name: z.string(),
  owner: z.string(),
  comment: z.string().nullable(),
  token: z.string().nullable(),
});
export type Schema = z.infer<typeof Schema>;

/** All but PostgreSQL's own. */
export async function listSchemas(session: Session, name?: string): Promise<readonly Schema[]> {
  const rows = await session.ask(
    Schema.omit({ database: true, token: true }),
    `SELECT nspname AS name, pg_catalog.pg_get_userbyid(nspowner) AS owner, pg_catalog.obj_description(oid, 'pg_namespace') AS comment
     FROM pg_catalog.pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' AND ($1::text IS NULL OR nspname = $1) ORDER BY 1`,
    [name ?? null],
  );
  return rows.map((row) => ({ database: session.database, ...row, ...readComment(row.comment) }));
}

export async function loadSchema(session: Session, name: string): Promise<Schema | undefined> {
  return (await listSchemas(session, name))[0];
}
