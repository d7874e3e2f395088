import { type ConnectorFunction, parseInput, z } from "@tutti/connector-kit";
import { Extension, listExtensions, loadExtension, type NumberedExtension } from "./extensions.ts";
import { idOf, InDatabase, literal, Name, quoted } from "./names.ts";
import { changeKept } from "./notes.ts";
import { type Deps, inSession, ORDER_TIMEOUT_MS, type Session } from "./session.ts";

const ExtensionName = Name.meta({ description: "Name of the extension: pgcrypto" });
const State = z.strictObject({ version: z.string() }).nullable();
type State = z.infer<typeof State>;

const EnsureInput = z.strictObject({
  database: InDatabase,
  name: ExtensionName,
  version: Name.optional().meta({ description: "Without it the one that is there, or the server's usual one" }),
  schema: Name.optional().meta({ description: "Where a new one goes; without it the first of the search path" }),
});
const EnsureOutput = z.strictObject({
  database: z.string(),
  name: z.string(),
  version: z.string(),
  /** Its number in the catalog. */
  oid: z.number(),
  /** Null when the call has made it. */
  before: State,
});
const RestoreInput = z.strictObject({
  database: Name,
  name: ExtensionName,
  before: State.meta({ description: "What to put back; null deletes the extension that the call made, while nothing depends on it" }),
  version: z.string().meta({ description: "Its version after the call: when it is another one now, nothing is touched" }),
  oid: z.int().meta({ description: "Its number in the catalog after the call" }),
});
const RestoreOutput = z.strictObject({ database: z.string(), name: z.string() });
const ListInput = z.strictObject({ database: InDatabase });
const ListOutput = z.strictObject({ extensions: z.array(Extension) });

export function extensionFunctions(deps: Deps): Readonly<Record<string, ConnectorFunction>> {
  const times = { requestTimeoutMs: ORDER_TIMEOUT_MS, settleMs: 0 };

  /** Idempotent: a desired state, and what was before is kept until the end is stored. Its comment is its author's, so it is known by its number. */
  const ensure: ConnectorFunction = {
    ...times,
    title: "See to it that a database has an extension",
    input: EnsureInput,
    output: EnsureOutput,
    effect: "idempotent",
    changes: "extension",
    undo: {
      call: "extension.restore:1",
      with: {
        database: "${ .output.database }",
        name: "${ .output.name }",
        before: "${ .output.before }",
        version: "${ .output.version }",
        oid: "${ .output.oid }",
      },
    },
    run: async (given, attempt) => {
      const input = parseInput(EnsureInput, given);
      const { database, name } = input;
      return inSession(deps, attempt, { database }, async (session) => {
        let made: NumberedExtension | undefined;
        const before = await changeKept<State>(deps, attempt, session, {
          read: async () => {
            const found = await loadExtension(session, name);
            return found === undefined ? null : { version: found.extension.version };
          },
          apply: async (current) => {
            await make(session, input, current);
            made = await loadExtension(session, name);
            return made?.extension.version !== current?.version;
          },
        });
        if (made === undefined)
          throw session.refusal(`Extension ${name} is not there although PostgreSQL has made it: somebody is removing it.`);
        return { database: session.database, name, version: made.extension.version, oid: made.oid, before };
      });
    },
    preview: async (given, attempt) => {
      const { database, name, version, schema } = parseInput(EnsureInput, given);
      return inSession(deps, attempt, { database }, async (session) => {
        const found = await loadExtension(session, name);
        const wanted = version ?? found?.extension.version ?? (await usualVersion(session, name));
        const before = found === undefined ? null : { version: found.extension.version };
        const output = { database: session.database, name, version: wanted, before };
        if (before?.version === wanted) return { effects: [], output };
        const after = {
          ...(found?.extension ?? { database: session.database, name, ...(schema === undefined ? {} : { schema }) }),
          version: wanted,
        };
        return {
          effects: [
            {
              kind: found === undefined ? "create" : "change",
              resource: "extension",
              name: idOf(session.database, name),
              ...(found === undefined ? {} : { before: found.extension }),
              after,
              isReversible: true,
            },
          ],
          output,
        };
      });
    },
  };

  /** Idempotent: a desired state. PostgreSQL refuses to delete what others depend on, and versions that it has no way back to. */
  const restore: ConnectorFunction = {
    ...times,
    title: "Put an extension back as it was",
    input: RestoreInput,
    output: RestoreOutput,
    effect: "idempotent",
    changes: "extension",
    run: async (given, attempt) => {
      const input = parseInput(RestoreInput, given);
      const { database, name, before } = input;
      return inSession(deps, attempt, { database }, async (session) => {
        await session.transaction(async () => {
          if ((await extensionToRestore(session, input)) === undefined) return;
          await session.order(
            before === null
              ? `DROP EXTENSION ${quoted(name)} RESTRICT`
              : `ALTER EXTENSION ${quoted(name)} UPDATE TO ${literal(before.version)}`,
          );
        });
        return { database, name };
      });
    },
    preview: async (given, attempt) => {
      const input = parseInput(RestoreInput, given);
      const { database, name, before } = input;
      const output = { database, name };
      const found = await inSession(deps, attempt, { database }, (session) => extensionToRestore(session, input));
      if (found === undefined) return { effects: [], output };
      return {
        effects: [
          {
            kind: before === null ? "delete" : "change",
            resource: "extension",
            name: idOf(database, name),
            before: found.extension,
            ...(before === null ? {} : { after: { ...found.extension, ...before } }),
            isReversible: false,
          },
        ],
        output,
      };
    },
  };

  const list: ConnectorFunction = {
    ...times,
    title: "List the extensions of a database",
    input: ListInput,
    output: ListOutput,
    effect: "read",
    run: async (given, attempt) => {
      const { database } = parseInput(ListInput, given);
      const found = await inSession(deps, attempt, { database }, (session) => listExtensions(session));
      return { extensions: found.map(({ extension }) => extension) };
    },
  };

  return { "extension.ensure:1": ensure, "extension.restore:1": restore, "extension.list:1": list };
}

async function make(session: Session, input: z.infer<typeof EnsureInput>, current: State): Promise<void> {
  const { name, version, schema } = input;
  if (current === null) {
    const options = [
      ...(schema === undefined ? [] : [`SCHEMA ${quoted(schema)}`]),
      ...(version === undefined ? [] : [`VERSION ${literal(version)}`]),
    ];
    await session.order(`CREATE EXTENSION ${quoted(name)}${options.length === 0 ? "" : ` WITH ${options.join(" ")}`}`);
  } else if (version !== undefined && version !== current.version)
    await session.order(`ALTER EXTENSION ${quoted(name)} UPDATE TO ${literal(version)}`);
}

/** @throws ConnectorError `validation`: the server does not have it. */
async function usualVersion(session: Session, name: string): Promise<string> {
  const [found] = await session.ask(
    z.object({ version: z.string() }),
    "SELECT default_version AS version FROM pg_catalog.pg_available_extensions WHERE name = $1",
    [name],
  );
  if (found === undefined) throw session.refusal(`The server has no extension ${name}: install its package there first.`);
  return found.version;
}

/** The extension if there is something to do. @throws ConnectorError `validation`: it is not what the call left. */
async function extensionToRestore(session: Session, input: z.infer<typeof RestoreInput>): Promise<NumberedExtension | undefined> {
  const { name, before, version, oid } = input;
  const found = await loadExtension(session, name);
  if (found === undefined && before === null) return undefined;
  if (found !== undefined && found.extension.version === before?.version) return undefined;
  if (found !== undefined && found.oid === oid && found.extension.version === version) return found;
  throw session.refusal(`Extension ${name} is not what the call left: somebody has changed it since, so it is not put back.`);
}
