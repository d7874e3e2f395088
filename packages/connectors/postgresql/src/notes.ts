import { type Attempt, z } from "@tutti/connector-kit";
import type { Json, Token } from "@tutti/model";
import { literal } from "./names.ts";
import { type Deps, inSession, type Session } from "./session.ts";

/** What of a token makes a number of 60 bits. */
const LOCK_HEX = 15;

export interface KeptChange<State extends Json> {
  /** What is there now; asked within the transaction. */
  readonly read: () => Promise<State>;
  /** Makes it as it is wanted, of what is there now. @returns whether anything was to be changed. */
  readonly apply: (current: State) => Promise<boolean>;
}

/**
 * Carries out a change and gives what was there before it, also when an earlier attempt of the token has carried it out and its answer was lost.
 *
 * What was there is kept in a large object, which needs no table and no right, in the transaction of the change: there is never one without the other. It
 * goes when the end is stored; when nobody comes back for it, it does no harm. Attempts of a token wait for each other: one that a dead process left
 * running is over, one way or the other, when the next one reads.
 */
export async function changeKept<State extends Json>(
  deps: Deps,
  attempt: Attempt,
  session: Session,
  change: KeptChange<State>,
): Promise<State> {
  let hasNote = false;
  attempt.afterStored(async (end) => {
    if (end === "completed" && hasNote)
      await inSession(deps, attempt, { database: session.database }, (own) => removeNote(own, attempt.token));
  });
  return session.transaction(async () => {
    await waitForToken(session, attempt.token);
    const kept = await readNote(session, attempt.token);
    const current = await change.read();
    const hasChanged = await change.apply(current);
    hasNote = kept !== undefined || hasChanged;
    if (kept === undefined && hasChanged) await writeNote(session, attempt.token, current);
    // Kept by an earlier attempt, which read the same kind of state.
    return kept === undefined ? current : (kept.before as State);
  });
}

/** Lets other attempts of the token end first. Within a transaction, and until its end. */
export async function waitForToken(session: Session, token: Token): Promise<void> {
  const key = BigInt(`0x${token.slice("tok_".length, "tok_".length + LOCK_HEX)}`).toString();
  await session.ask(z.object({ done: z.literal(true) }), "SELECT true AS done FROM pg_catalog.pg_advisory_xact_lock($1)", [key]);
}

const Found = z.object({ oid: z.number(), text: z.string() });

async function readNote(session: Session, token: Token): Promise<{ readonly before: Json } | undefined> {
  const [note] = await session.ask(
    Found,
    `SELECT objoid AS oid, pg_catalog.convert_from(pg_catalog.lo_get(objoid), 'UTF8') AS text FROM pg_catalog.pg_description
     WHERE classoid = 'pg_catalog.pg_largeobject'::pg_catalog.regclass AND description = $1`,
    [noteName(token)],
  );
  // Written by us in this form.
  return note === undefined ? undefined : (JSON.parse(note.text) as { readonly before: Json });
}

async function writeNote(session: Session, token: Token, before: Json): Promise<void> {
  const [made] = await session.ask(
    z.object({ oid: z.number() }),
    "SELECT pg_catalog.lo_from_bytea(0, pg_catalog.convert_to($1, 'UTF8')) AS oid",
    [JSON.stringify({ before })],
  );
  await session.order(`COMMENT ON LARGE OBJECT ${made?.oid ?? 0} IS ${literal(noteName(token))}`);
}

async function removeNote(session: Session, token: Token): Promise<void> {
  await session.transaction(async () => {
    await session.ask(
      z.object({ removed: z.number() }),
      `SELECT pg_catalog.lo_unlink(objoid) AS removed FROM pg_catalog.pg_description
       WHERE classoid = 'pg_catalog.pg_largeobject'::pg_catalog.regclass AND description = $1`,
      [noteName(token)],
    );
  });
}

function noteName(token: Token): string {
  return `tutti note ${token}`;
}
