import { isDeepStrictEqual } from "node:util";
import { type ConnectorFunction, parseInput, z } from "@tutti/connector-kit";
import { Comment, idOf, InDatabase, literal, markedComment, Name, quoted, RoleName, TokenInput } from "./names.ts";
import { changeKept } from "./notes.ts";
import { listSchemas, loadSchema, Schema } from "./schemas.ts";
import { type Deps, inSession, ORDER_TIMEOUT_MS, type Session } from "./session.ts";

const SchemaName = Name.refine((name) => !name.startsWith("pg_"), "names that begin with pg_ are PostgreSQL's own").meta({
  description: "Name of the schema",
});
const State = z.strictObject({ owner: z.string() }).nullable();
type State = z.infer<typeof State>;

const EnsureInput = z.strictObject({
  database: InDatabase,
  name: SchemaName,
  owner: RoleName.optional().meta({ description: "Without it who owns it stays; a new one belongs to the role that logs in" }),
  comment: Comment.optional().meta({ description: "Of a new one" }),
});
const EnsureOutput = z.strictObject({
  database: z.string(),
  name: z.string(),
  owner: z.string(),
  token: z.string(),
  /** Null when the call has made it. */
  before: State,
});
const RestoreInput = z.strictObject({
  database: Name,
  name: SchemaName,
  before: State.meta({ description: "What to put back; null deletes the schema that the call made, while it is empty" }),
  owner: z.string().meta({ description: "Who owned it after the call: when it is another one now, nothing is touched" }),
  token: z.string().meta({ description: "Of the call that is taken back" }),
});
const RestoreOutput = z.strictObject({ database: z.string(), name: z.string() });
const DeleteInput = z.strictObject({
  database: InDatabase,
  name: SchemaName,
  token: TokenInput.optional(),
  cascade: z.boolean().default(false).meta({ description: "Delete also what is in it, and what depends on that" }),
});
const ListInput = z.strictObject({ database: InDatabase });
const ListOutput = z.strictObject({ schemas: z.array(Schema) });

export function schemaFunctions(deps: Deps): Readonly<Record<string, ConnectorFunction>> {
  const times = { requestTimeoutMs: ORDER_TIMEOUT_MS, settleMs: 0 };

  /** Idempotent: a desired state, and what was before is kept until the end is stored. One that it makes holds the token in its comment. */
  const ensure: ConnectorFunction = {
    ...times,
    title: "See to it that a schema is there, and who owns it",
    input: EnsureInput,
    output: EnsureOutput,
    effect: "idempotent",
    changes: "schema",
    undo: {
      call: "schema.restore:1",
      with: {
        database: "${ .output.database }",
        name: "${ .output.name }",
        before: "${ .output.before }",
        owner: "${ .output.owner }",
        token: "${ .output.token }",
      },
    },
    run: async (given, attempt) => {
      const { database, name, owner, comment = null } = parseInput(EnsureInput, given);
      return inSession(deps, attempt, { database }, async (session) => {
        let after = "";
        const before = await changeKept<State>(deps, attempt, session, {
          read: () => stateOf(session, name),
          apply: async (current) => {
            after = owner ?? current?.owner ?? session.server.user;
            if (current === null) {
              await session.order(`CREATE SCHEMA ${quoted(name)}`);
              await session.order(`COMMENT ON SCHEMA ${quoted(name)} IS ${literal(markedComment(comment, attempt.token))}`);
            }
            if (after !== (current?.owner ?? session.server.user))
              await session.order(`ALTER SCHEMA ${quoted(name)} OWNER TO ${quoted(after)}`);
            return current?.owner !== after;
          },
        });
        return { database: session.database, name, owner: after, token: attempt.token, before };
      });
    },
    preview: async (given, attempt) => {
      const { database, name, owner, comment = null } = parseInput(EnsureInput, given);
      return inSession(deps, attempt, { database }, async (session) => {
        const found = await loadSchema(session, name);
        const after = owner ?? found?.owner ?? session.server.user;
        const output = {
          database: session.database,
          name,
          owner: after,
          token: attempt.token,
          before: found === undefined ? null : { owner: found.owner },
        };
        if (found?.owner === after) return { effects: [], output };
        const wanted = found === undefined ? { database: session.database, name, comment, token: attempt.token } : found;
        return {
          effects: [
            {
              kind: found === undefined ? "create" : "change",
              resource: "schema",
              name: idOf(session.database, name),
              ...(found === undefined ? {} : { before: found }),
              after: { ...wanted, owner: after },
              isReversible: true,
            },
          ],
          output,
        };
      });
    },
  };

  /** Idempotent: a desired state. PostgreSQL refuses to delete what is not empty. */
  const restore: ConnectorFunction = {
    ...times,
    title: "Put a schema back as it was",
    input: RestoreInput,
    output: RestoreOutput,
    effect: "idempotent",
    changes: "schema",
    run: async (given, attempt) => {
      const input = parseInput(RestoreInput, given);
      const { database, name, before } = input;
      return inSession(deps, attempt, { database }, async (session) => {
        await session.transaction(async () => {
          if ((await schemaToRestore(session, input)) === undefined) return;
          await session.order(
            before === null ? `DROP SCHEMA ${quoted(name)} RESTRICT` : `ALTER SCHEMA ${quoted(name)} OWNER TO ${quoted(before.owner)}`,
          );
        });
        return { database, name };
      });
    },
    preview: async (given, attempt) => {
      const input = parseInput(RestoreInput, given);
      const { database, name, before } = input;
      const output = { database, name };
      const found = await inSession(deps, attempt, { database }, (session) => schemaToRestore(session, input));
      if (found === undefined) return { effects: [], output };
      return {
        effects: [
          {
            kind: before === null ? "delete" : "change",
            resource: "schema",
            name: idOf(database, name),
            before: found,
            ...(before === null ? {} : { after: { ...found, ...before } }),
            isReversible: false,
          },
        ],
        output,
      };
    },
  };

  /** Idempotent: what is gone is gone. */
  const remove: ConnectorFunction = {
    ...times,
    title: "Delete a schema",
    input: DeleteInput,
    output: RestoreOutput,
    effect: "idempotent",
    deletes: "schema",
    irreversible: true,
    run: async (given, attempt) => {
      const input = parseInput(DeleteInput, given);
      const { database, name, cascade } = input;
      return inSession(deps, attempt, { database }, async (session) => {
        await session.transaction(async () => {
          if ((await schemaToDelete(session, input)) !== undefined)
            await session.order(`DROP SCHEMA IF EXISTS ${quoted(name)} ${cascade ? "CASCADE" : "RESTRICT"}`);
        });
        return { database: session.database, name };
      });
    },
    preview: async (given, attempt) => {
      const input = parseInput(DeleteInput, given);
      const { database, name } = input;
      return inSession(deps, attempt, { database }, async (session) => {
        const output = { database: session.database, name };
        const found = await schemaToDelete(session, input);
        if (found === undefined) return { effects: [], output };
        const id = idOf(session.database, name);
        return { effects: [{ kind: "delete", resource: "schema", name: id, before: found, isReversible: false }], output };
      });
    },
  };

  const list: ConnectorFunction = {
    ...times,
    title: "List the schemas of a database",
    input: ListInput,
    output: ListOutput,
    effect: "read",
    run: async (given, attempt) => {
      const { database } = parseInput(ListInput, given);
      return { schemas: [...(await inSession(deps, attempt, { database }, (session) => listSchemas(session)))] };
    },
  };

  return { "schema.ensure:1": ensure, "schema.restore:1": restore, "schema.delete:1": remove, "schema.list:1": list };
}

async function stateOf(session: Session, name: string): Promise<State> {
  const found = await loadSchema(session, name);
  return found === undefined ? null : { owner: found.owner };
}

/** The schema if there is something to do. @throws ConnectorError `validation`: it is not what the call left. */
async function schemaToRestore(session: Session, input: z.infer<typeof RestoreInput>): Promise<Schema | undefined> {
  const { name, before, owner, token } = input;
  const found = await loadSchema(session, name);
  if (found === undefined && before === null) return undefined;
  if (found !== undefined && isDeepStrictEqual({ owner: found.owner }, before)) return undefined;
  const isOurs = found !== undefined && found.owner === owner && (before !== null || found.token === token);
  if (isOurs) return found;
  throw session.refusal(
    `Schema ${name} is not what the call left: somebody has changed it since, so it is not put back. Look at it, and settle it by hand.`,
  );
}

async function schemaToDelete(session: Session, { name, token }: z.infer<typeof DeleteInput>): Promise<Schema | undefined> {
  const found = await loadSchema(session, name);
  if (found === undefined) return undefined;
  if (token !== undefined && found.token !== token)
    throw session.refusal(`Schema ${name} is not the one that the call made: somebody has made another one of this name, so it stays.`);
  return found;
}
