import { isDeepStrictEqual } from "node:util";
import { type Attempt, ConnectorError, type ConnectorFunction, parseInput, z } from "@tutti/connector-kit";
import { Database, listDatabases, loadDatabase } from "./databases.ts";
import { Comment, DatabaseName, literal, markedComment, Name, quoted, RoleName, TokenInput, unfinishedName } from "./names.ts";
import { hasSqlState } from "./failure.ts";
import { changeKept, waitForToken } from "./notes.ts";
import { type Deps, inSession, ORDER_TIMEOUT_MS, type Session } from "./session.ts";

const CONNECTIONS_MAX = 262_143;
/** What is named of a database that is not empty. */
const SHOWN_MAX = 3;
/** A database of the name was there, or came in between. */
const TAKEN = new Set(["42P04", "23505"]);

const ConnectionLimit = z.int().min(-1).max(CONNECTIONS_MAX).meta({ description: "Sessions at the same time; -1 is no limit" });

const CreateInput = z.strictObject({
  name: DatabaseName,
  owner: RoleName.optional().meta({ description: "Without it the role that logs in" }),
  template: Name.default("template1").meta({ description: "The database that it is a copy of; template0 for another encoding or locale" }),
  encoding: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,30}$/)
    .optional()
    .meta({ description: "UTF8; without it that of the template" }),
  locale: z
    .string()
    .regex(/^[A-Za-z0-9_.@-]{1,60}$/)
    .optional()
    .meta({ description: "C.UTF-8; without it that of the template" }),
  connectionLimit: ConnectionLimit.default(-1),
  comment: Comment.optional(),
});
const CreateOutput = z.strictObject({ name: z.string(), token: z.string() });
const Settings = z.strictObject({ owner: z.string(), connectionLimit: z.number(), allowConnections: z.boolean() });
type Settings = z.infer<typeof Settings>;
const ChangeInput = z.strictObject({
  name: DatabaseName,
  owner: RoleName.optional(),
  connectionLimit: ConnectionLimit.optional(),
  allowConnections: z.boolean().optional(),
  ifIs: Settings.optional().meta({ description: "Refuse unless it is so, or as wanted, now" }),
});
const ChangeOutput = z.strictObject({ name: z.string(), after: Settings, before: Settings });
const DeleteInput = z.strictObject({
  name: DatabaseName,
  token: TokenInput.optional(),
  onlyIfEmpty: z.boolean().default(false).meta({ description: "Refuse while there are tables, views or sequences in it" }),
  force: z.boolean().default(false).meta({ description: "End the sessions that are in it" }),
});
const NameOutput = z.strictObject({ name: z.string() });
const ListInput = z.strictObject({});
const ListOutput = z.strictObject({ databases: z.array(Database) });

export function databaseFunctions(deps: Deps): Readonly<Record<string, ConnectorFunction>> {
  const times = { requestTimeoutMs: ORDER_TIMEOUT_MS, settleMs: 0 };

  /**
   * Findable: its comment holds the token. Unique: PostgreSQL refuses a second one of a name. It is made under a name that holds the token, and gets its
   * own name and the comment in one transaction, so that whatever a crash leaves is known to be ours, and the next attempt goes on with it.
   */
  const create: ConnectorFunction = {
    ...times,
    title: "Make a database",
    input: CreateInput,
    output: CreateOutput,
    effect: "findable",
    unique: true,
    creates: "database",
    undo: { call: "database.delete:1", with: { name: "${ .output.name }", token: "${ .output.token }", onlyIfEmpty: true, force: true } },
    run: async (given, attempt) => {
      const input = parseInput(CreateInput, given);
      return inSession(deps, attempt, {}, async (session) => {
        const present = await loadDatabase(session, input.name);
        if (present === undefined) await make(session, input, attempt);
        else mustBeOurs(session, present, attempt);
        return { name: input.name, token: attempt.token };
      });
    },
    find: async (given, attempt) => {
      const { name } = parseInput(CreateInput, given);
      const found = await inSession(deps, attempt, {}, (session) => loadDatabase(session, name));
      return found?.token === attempt.token ? { name, token: attempt.token } : undefined;
    },
    preview: async (given, attempt) => {
      const input = parseInput(CreateInput, given);
      return inSession(deps, attempt, {}, async (session) => {
        const output = { name: input.name, token: attempt.token };
        const present = await loadDatabase(session, input.name);
        if (present !== undefined) {
          mustBeOurs(session, present, attempt);
          return { effects: [], output };
        }
        const { name, connectionLimit, comment = null } = input;
        const after = { name, owner: input.owner ?? session.server.user, connectionLimit, comment, token: attempt.token };
        return { effects: [{ kind: "create", resource: "database", name, after, isReversible: true }], output };
      });
    },
  };

  /** Idempotent: a desired state, and what was before is kept until the end is stored. */
  const change: ConnectorFunction = {
    ...times,
    title: "Change owner and limits of a database",
    input: ChangeInput,
    output: ChangeOutput,
    effect: "idempotent",
    changes: "database",
    undo: {
      call: "database.change:1",
      with: {
        name: "${ .output.name }",
        owner: "${ .output.before.owner }",
        connectionLimit: "${ .output.before.connectionLimit }",
        allowConnections: "${ .output.before.allowConnections }",
        ifIs: "${ .output.after }",
      },
    },
    run: async (given, attempt) => {
      const input = parseInput(ChangeInput, given);
      return inSession(deps, attempt, {}, async (session) => {
        const { name } = input;
        let after: Settings | undefined;
        const before = await changeKept<Settings>(deps, attempt, session, {
          read: async () => (await planned(session, input)).current,
          apply: async (current) => {
            const wanted = wantedOf(input, current);
            after = wanted;
            if (isDeepStrictEqual(current, wanted)) return false;
            const { allowConnections, connectionLimit, owner } = wanted;
            await session.order(
              `ALTER DATABASE ${quoted(name)} WITH ALLOW_CONNECTIONS ${String(allowConnections)} CONNECTION LIMIT ${connectionLimit}`,
            );
            if (owner !== current.owner) await session.order(`ALTER DATABASE ${quoted(name)} OWNER TO ${quoted(owner)}`);
            return true;
          },
        });
        return { name, after: after ?? before, before };
      });
    },
    preview: async (given, attempt) => {
      const input = parseInput(ChangeInput, given);
      return inSession(deps, attempt, {}, async (session) => {
        const { was, current, after } = await planned(session, input);
        const output = { name: input.name, after, before: current };
        if (isDeepStrictEqual(current, after)) return { effects: [], output };
        const effect = { kind: "change", resource: "database", name: input.name, before: was, after: { ...was, ...after } } as const;
        return { effects: [{ ...effect, isReversible: true }], output };
      });
    },
  };

  /** Idempotent: what is gone is gone. Nobody keeps what is in it, so it can't be undone. */
  const remove: ConnectorFunction = {
    ...times,
    title: "Delete a database with all that is in it",
    input: DeleteInput,
    output: NameOutput,
    effect: "idempotent",
    deletes: "database",
    irreversible: true,
    run: async (given, attempt) => {
      const input = parseInput(DeleteInput, given);
      return inSession(deps, attempt, {}, async (session) => {
        const { name } = input;
        if ((await databaseToDelete(deps, session, attempt, input)) !== undefined)
          await session.order(`DROP DATABASE IF EXISTS ${quoted(name)}${input.force ? " WITH (FORCE)" : ""}`);
        return { name };
      });
    },
    preview: async (given, attempt) => {
      const input = parseInput(DeleteInput, given);
      return inSession(deps, attempt, {}, async (session) => {
        const { name } = input;
        const found = await databaseToDelete(deps, session, attempt, input);
        if (found === undefined) return { effects: [], output: { name } };
        return { effects: [{ kind: "delete", resource: "database", name, before: found, isReversible: false }], output: { name } };
      });
    },
  };

  const list: ConnectorFunction = {
    ...times,
    title: "List the databases",
    input: ListInput,
    output: ListOutput,
    effect: "read",
    run: async (given, attempt) => {
      parseInput(ListInput, given);
      return { databases: [...(await inSession(deps, attempt, {}, (session) => listDatabases(session)))] };
    },
  };

  return { "database.create:1": create, "database.change:1": change, "database.delete:1": remove, "database.list:1": list };
}

async function make(session: Session, input: z.infer<typeof CreateInput>, attempt: Attempt): Promise<void> {
  const { name, owner, connectionLimit, comment } = input;
  const unfinished = unfinishedName(attempt.token);
  const drop = (): Promise<void> => session.order(`DROP DATABASE IF EXISTS ${quoted(unfinished)}`);
  let present: Database | undefined;
  try {
    if ((await loadDatabase(session, unfinished)) === undefined) await copyTemplate(session, unfinished, input);
    present = await session.transaction(async () => {
      await waitForToken(session, attempt.token);
      // Another attempt of the token may have been faster.
      const found = await loadDatabase(session, name);
      if (found !== undefined) return found;
      await session.order(`COMMENT ON DATABASE ${quoted(unfinished)} IS ${literal(markedComment(comment ?? null, attempt.token))}`);
      await session.order(`ALTER DATABASE ${quoted(unfinished)} WITH CONNECTION LIMIT ${connectionLimit}`);
      await session.order(`ALTER DATABASE ${quoted(unfinished)} RENAME TO ${quoted(name)}`);
      if (owner !== undefined) await session.order(`ALTER DATABASE ${quoted(name)} OWNER TO ${quoted(owner)}`);
      return undefined;
    });
  } catch (error) {
    const isFinal = error instanceof ConnectorError && error.outcome === "answered" && !error.retryable;
    // Refused for good: nothing stays behind.
    if (isFinal) await drop().catch(() => {});
    present = isTaken(error) ? await loadDatabase(session, name) : undefined;
    if (present === undefined) throw error;
  }
  if (present === undefined) return;
  await drop();
  mustBeOurs(session, present, attempt);
}

/** Not in a transaction: PostgreSQL copies files. Another attempt that is at it is waited for. */
async function copyTemplate(session: Session, name: string, input: z.infer<typeof CreateInput>): Promise<void> {
  const { template, encoding, locale } = input;
  const options = [
    `TEMPLATE ${quoted(template)}`,
    ...(encoding === undefined ? [] : [`ENCODING ${literal(encoding)}`]),
    ...(locale === undefined ? [] : [`LOCALE ${literal(locale)}`]),
  ];
  try {
    await session.order(`CREATE DATABASE ${quoted(name)} WITH ${options.join(" ")}`);
  } catch (error) {
    if (!isTaken(error)) throw error;
  }
}

function isTaken(error: unknown): boolean {
  return hasSqlState(error, TAKEN);
}

/** @throws ConnectorError `validation`: it is somebody else's. */
function mustBeOurs(session: Session, { name, token }: Database, attempt: Attempt): void {
  if (token === attempt.token) return;
  const whose = token === null ? "" : ` Its comment says ${token}.`;
  throw session.refusal(
    `There is a database ${name} already, and this call has not made it.${whose} Take another name, or work with it as it is.`,
  );
}

function wantedOf(input: z.infer<typeof ChangeInput>, current: Settings): Settings {
  return {
    owner: input.owner ?? current.owner,
    connectionLimit: input.connectionLimit ?? current.connectionLimit,
    allowConnections: input.allowConnections ?? current.allowConnections,
  };
}

async function planned(
  session: Session,
  input: z.infer<typeof ChangeInput>,
): Promise<{ readonly was: Database; readonly current: Settings; readonly after: Settings }> {
  const was = await loadDatabase(session, input.name);
  if (was === undefined) throw session.refusal(`There is no database ${input.name}: make it with database.create first.`);
  const { owner, connectionLimit, allowConnections } = was;
  const current = { owner, connectionLimit, allowConnections };
  const after = wantedOf(input, current);
  if (input.ifIs !== undefined && !isDeepStrictEqual(current, input.ifIs) && !isDeepStrictEqual(current, after))
    throw session.refusal(`Database ${input.name} is not what it was: somebody has changed it since, so it stays as it is.`, current);
  return { was, current, after };
}

async function databaseToDelete(
  deps: Deps,
  session: Session,
  attempt: Attempt,
  input: z.infer<typeof DeleteInput>,
): Promise<Database | undefined> {
  const { name } = input;
  if (name === session.database)
    throw session.refusal(
      `Database ${name} is the one that provider ${session.provider} works in: name another one in its configuration first.`,
    );
  const found = await loadDatabase(session, name);
  if (found === undefined) return undefined;
  if (input.token !== undefined && found.token !== input.token)
    throw session.refusal(`Database ${name} is not the one that the call made: somebody has made another one of this name, so it stays.`);
  if (input.onlyIfEmpty && found.allowConnections) await mustBeEmpty(deps, attempt, name);
  return found;
}

async function mustBeEmpty(deps: Deps, attempt: Attempt, database: string): Promise<void> {
  await inSession(deps, attempt, { database }, async (session) => {
    const found = await session.ask(
      z.object({ name: z.string() }),
      `SELECT c.oid::pg_catalog.regclass::text AS name FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
       WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') ORDER BY 1 LIMIT 1000`,
    );
    const names = found.slice(0, SHOWN_MAX).map(({ name }) => name);
    if (found.length > 0)
      throw session.refusal(
        `Database ${database} is not empty (${found.length} tables, views and sequences, such as ${names.join(", ")}): it stays.`,
      );
  });
}
