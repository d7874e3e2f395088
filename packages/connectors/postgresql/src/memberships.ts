import { z } from "@tutti/connector-kit";
import type { Session } from "./session.ts";

export const Membership = z.strictObject({
  role: z.string(),
  member: z.string(),
  /** The member may make others members. */
  admin: z.boolean(),
});
export type Membership = z.infer<typeof Membership>;

/** Who is a member of what, but for PostgreSQL's own roles among themselves. */
export function listMemberships(
  session: Session,
  of: { readonly role?: string; readonly member?: string } = {},
): Promise<readonly Membership[]> {
  return session.ask(
    Membership,
    `SELECT g.rolname AS role, m.rolname AS member, pg_catalog.bool_or(a.admin_option) AS admin
     FROM pg_catalog.pg_auth_members a
     JOIN pg_catalog.pg_roles g ON g.oid = a.roleid JOIN pg_catalog.pg_roles m ON m.oid = a.member
     WHERE ($1::text IS NULL OR g.rolname = $1) AND ($2::text IS NULL OR m.rolname = $2) AND m.rolname !~ '^pg_'
     GROUP BY 1, 2 ORDER BY 1, 2`,
    [of.role ?? null, of.member ?? null],
  );
}
