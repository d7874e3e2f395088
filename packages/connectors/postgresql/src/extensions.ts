import { z } from "@tutti/connector-kit";
import type { Session } from "./session.ts";

export const Extension = z.strictObject({
  database: z.string(),
  name: z.string(),
  version: z.string(),
  schema: z.string(),
});
export type Extension = z.infer<typeof Extension>;

/** An extension, and the number that only this one has: one that is made again has another. */
export interface NumberedExtension {
  readonly oid: number;
  readonly extension: Extension;
}

export async function listExtensions(session: Session, name?: string): Promise<readonly NumberedExtension[]> {
  const rows = await session.ask(
    Extension.omit({ database: true }).extend({ oid: z.number() }),
    `SELECT e.oid, e.extname AS name, e.extversion AS version, n.nspname AS schema
     FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
     WHERE $1::text IS NULL OR e.extname = $1 ORDER BY 2`,
    [name ?? null],
  );
  return rows.map(({ oid, ...extension }) => ({ oid, extension: { database: session.database, ...extension } }));
}

export async function loadExtension(session: Session, name: string): Promise<NumberedExtension | undefined> {
  return (await listExtensions(session, name))[0];
}
