import { type ConnectorFunction, parseInput, z } from "@tutti/connector-kit";
import type { Json } from "@tutti/model";
import { InDatabase } from "./names.ts";
import { type Answer, type Deps, inSession, ORDER_TIMEOUT_MS, type Session } from "./session.ts";

const SQL_CHARACTERS_MAX = 1_000_000;
const PARAMETERS_MAX = 1000;
const ROWS_MAX = 10_000;
const ROWS_DEFAULT = 1000;
const TIMEOUT_DEFAULT_S = 60;
const READ_ONLY = "SELECT pg_catalog.current_setting('transaction_read_only') AS only";

const Parameter = z.union([z.string(), z.number(), z.boolean(), z.null(), z.array(z.json()), z.record(z.string(), z.json())]);
const Input = z.strictObject({
  database: InDatabase,
  sql: z
    .string()
    .min(1)
    .max(SQL_CHARACTERS_MAX)
    .refine((sql) => !sql.includes("\0"), "holds no zero character")
    .meta({ description: "One statement. Values go in as $1, $2 … and not into the text" }),
  parameters: z
    .array(Parameter)
    .max(PARAMETERS_MAX)
    .default([])
    .meta({ description: "The values of $1, $2 …; a list becomes an array, an object JSON" }),
  rowsMax: z.int().min(0).max(ROWS_MAX).default(ROWS_DEFAULT).meta({ description: "More rows are an error" }),
  timeoutSeconds: z
    .int()
    .min(1)
    .max(ORDER_TIMEOUT_MS / 1000)
    .default(TIMEOUT_DEFAULT_S)
    .meta({ description: "After this time the server ends it" }),
});
const QueryOutput = z.strictObject({ rows: z.array(z.record(z.string(), z.json())), rowCount: z.number() });
const StatementOutput = QueryOutput.extend({
  /** What was done: INSERT, CREATE. */
  command: z.string(),
});

export function statementFunctions(deps: Deps): Readonly<Record<string, ConnectorFunction>> {
  const times = { requestTimeoutMs: ORDER_TIMEOUT_MS, settleMs: 0 };

  /** Read: the server itself refuses whatever changes data. What a function does outside of the database (dblink) it can't refuse. */
  const query: ConnectorFunction = {
    ...times,
    title: "Ask a database, in a transaction that only reads",
    input: Input,
    output: QueryOutput,
    effect: "read",
    run: async (given, attempt) => {
      const { sql, database, rowsMax, parameters, timeoutSeconds } = parseInput(Input, given);
      return inSession(deps, attempt, { database, statementTimeoutMs: timeoutSeconds * 1000 }, (session) =>
        session.transaction(async () => {
          // After a first query PostgreSQL does not let the transaction become one that writes.
          await session.ask(z.object({ only: z.literal("on") }), READ_ONLY);
          const { rows, rowCount } = limited(session, await session.run(sql, parameters), rowsMax);
          return { rows, rowCount };
        }, "READ ONLY"),
      );
    },
  };

  /** Unsafe: what the statement does when it comes twice is known to its author only. */
  const statement: ConnectorFunction = {
    ...times,
    title: "Run a statement that changes something",
    input: Input,
    output: StatementOutput,
    effect: "unsafe",
    run: async (given, attempt) => {
      const { sql, database, rowsMax, parameters, timeoutSeconds } = parseInput(Input, given);
      return inSession(deps, attempt, { database, statementTimeoutMs: timeoutSeconds * 1000 }, async (session) => {
        // Whoever can't say that is not PostgreSQL, and is told nothing.
        await session.ask(z.object({ only: z.enum(["on", "off"]) }), READ_ONLY);
        // It is done, so what it gave is cut rather than lost.
        const { command, rows, rowCount } = await session.run(sql, parameters);
        if (rows.length > rowsMax) attempt.log("info", `It gave ${rows.length} rows; the first ${rowsMax} are kept (rowsMax).`);
        return { command, rows: rows.slice(0, rowsMax), rowCount: rowCount ?? 0 };
      });
    },
  };

  return { "query.run:1": query, "statement.run:1": statement };
}

function limited(session: Session, { rows, rowCount }: Answer, rowsMax: number): { readonly rows: Json[]; readonly rowCount: number } {
  if (rows.length > rowsMax)
    throw session.refusal(`It gives ${rows.length} rows, more than rowsMax (${rowsMax}): ask for less with LIMIT.`);
  return { rows: [...rows], rowCount: rowCount ?? rows.length };
}
