import { type Attempt, ConnectorError, type Network, type ProviderAccess, readBySchema, type z } from "@tutti/connector-kit";
import type { Json } from "@tutti/model";
import { type Connection, isAnswer, openConnection, type PostgresqlLimits, stopped, TooLargeError } from "./connection.ts";
import { serverFailure } from "./failure.ts";
import { serverOf, type Server } from "./provider.ts";

/** What every function needs. */
export interface Deps {
  readonly network: Network;
  readonly limits: PostgresqlLimits;
}

/** Catalogs answer in milliseconds; a copy of a large template takes minutes. */
export const ORDER_TIMEOUT_MS = 300_000;

/** What a statement gave. */
export interface Answer {
  /** The first word of its command tag: SELECT, CREATE, UPDATE. */
  readonly command: string;
  readonly rowCount: number | null;
  readonly rows: readonly Json[];
}

export interface SessionOptions {
  /** Without it the provider's. */
  readonly database?: string | undefined;
  readonly statementTimeoutMs?: number;
}

/**
 * Works in a session and ends it.
 *
 * @throws ConnectorError: never-began while nothing can have been changed, unknown from the commit, or the first statement outside of a transaction, on.
 */
export async function inSession<T>(
  deps: Deps,
  access: ProviderAccess,
  options: SessionOptions,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const session = await Session.open(deps, access, options);
  try {
    return await work(session);
  } finally {
    await session.close();
  }
}

/** A session on a server, as one attempt uses it: one statement after the other. */
export class Session {
  readonly provider: string;
  readonly server: Server;
  readonly database: string;
  readonly #deps: Deps;
  readonly #access: ProviderAccess;
  readonly #connection: Connection;
  readonly #abort = (): void => this.#cancel();
  #isInTransaction = false;
  /** Something may have been changed for good. */
  #hasChanged = false;
  #deadline: NodeJS.Timeout | undefined;

  static async open(deps: Deps, access: ProviderAccess, { database, statementTimeoutMs }: SessionOptions): Promise<Session> {
    const server = serverOf(deps.network, access);
    const wanted = database ?? server.database;
    try {
      const connection = await openConnection(server, {
        ...deps,
        signal: access.signal,
        database: wanted,
        statementTimeoutMs: statementTimeoutMs ?? ORDER_TIMEOUT_MS,
        label: "token" in access ? `tutti ${(access as Attempt).token}` : "tutti",
      });
      return new Session(deps, access, { server, database: wanted, connection });
    } catch (error) {
      if (!isAnswer(error)) throw error;
      throw serverFailure(error, { provider: server.name, masked: (text) => access.masked(text), outcome: "never-began" });
    }
  }

  private constructor(
    deps: Deps,
    access: ProviderAccess,
    opened: { readonly server: Server; readonly database: string; readonly connection: Connection },
  ) {
    this.provider = opened.server.name;
    this.server = opened.server;
    this.database = opened.database;
    this.#deps = deps;
    this.#access = access;
    this.#connection = opened.connection;
    access.signal.addEventListener("abort", this.#abort, { once: true });
  }

  /** Rows that must be as the schema says. */
  async ask<Schema extends z.ZodType>(schema: Schema, sql: string, values: readonly Json[] = []): Promise<readonly z.infer<Schema>[]> {
    const { rows } = await this.#send(sql, values);
    return rows.map((row) => {
      const read = readBySchema(schema, row);
      if (read.kind === "misfit") throw this.#strange();
      return read.value;
    });
  }

  /** A statement of ours, made of quoted names and texts only. */
  async order(sql: string, values: readonly Json[] = []): Promise<void> {
    const { command } = await this.#send(sql, values);
    // Whoever answers otherwise is not PostgreSQL.
    if (command !== /^\w+/.exec(sql)?.[0].toUpperCase()) throw this.#strange();
  }

  /** A statement of somebody else. Only one: what is sent with parameters, even with none, is one statement. */
  run(sql: string, values: readonly Json[]): Promise<Answer> {
    return this.#send(sql, values);
  }

  /** All of it or nothing. */
  async transaction<T>(work: () => Promise<T>, mode: "READ WRITE" | "READ ONLY" = "READ WRITE"): Promise<T> {
    await this.order(`BEGIN ${mode}`);
    this.#isInTransaction = true;
    try {
      const result = await work();
      this.#isInTransaction = mode === "READ ONLY";
      await this.order("COMMIT");
      return result;
    } catch (error) {
      // A refusal of the server, or ours: the session can go on after it. Without an answer the session ends, and the transaction with it.
      if (error instanceof ConnectorError && error.outcome === "answered") await this.#connection.client.query("ROLLBACK").catch(() => {});
      throw error;
    } finally {
      this.#isInTransaction = false;
    }
  }

  /** What was asked can't be done as things are. */
  refusal(message: string, detail?: Json): ConnectorError {
    return new ConnectorError(message, { kind: "validation", outcome: "answered", ...(detail === undefined ? {} : { detail }) });
  }

  /** Ends the session; what is not committed is undone. */
  async close(): Promise<void> {
    this.#access.signal.removeEventListener("abort", this.#abort);
    clearTimeout(this.#deadline);
    const { client, socket } = this.#connection;
    if (socket.destroyed) return;
    const limit = setTimeout(() => socket.destroy(), this.#deps.limits.cancelMs);
    await client.end().catch(() => {});
    clearTimeout(limit);
    socket.destroy();
  }

  async #send(sql: string, values: readonly Json[]): Promise<Answer> {
    if (this.#access.signal.aborted) throw this.#stopped();
    const changes = !this.#isInTransaction && !/^(?:SELECT|BEGIN)\b/.test(sql);
    const had = this.#hasChanged;
    this.#hasChanged ||= changes;
    try {
      const result = await this.#connection.client.query<Record<string, Json>>({
        text: sql,
        values: [...values],
        // Not in the types: one statement, and parameters.
        ...({ queryMode: "extended" } as object),
      });
      if (typeof result.command !== "string") throw new StrangeError();
      return { command: result.command, rowCount: result.rowCount, rows: result.rows };
    } catch (error) {
      // A statement that was refused has changed nothing; one whose session was ended meanwhile may have.
      if (isAnswer(error) && error.severity === "ERROR") this.#hasChanged = had;
      throw this.#failure(error);
    }
  }

  #failure(error: unknown): ConnectorError {
    const outcome = this.#hasChanged ? "unknown" : "never-began";
    if (error instanceof StrangeError) return this.#strange();
    if (this.#access.signal.aborted) return this.#stopped();
    if (isAnswer(error))
      return serverFailure(error, {
        provider: this.provider,
        masked: (text) => this.#access.masked(text),
        outcome: error.severity === "ERROR" ? "answered" : outcome,
      });
    const isLarge = error instanceof TooLargeError;
    const why = isLarge
      ? `${error.message}.`
      : `The connection to ${this.server.label} was lost: ${error instanceof Error ? error.message : String(error)}.`;
    return new ConnectorError(why, { kind: "communication", outcome, retryable: !isLarge, cause: error });
  }

  #strange(): ConnectorError {
    return new ConnectorError(
      `What answers at ${this.server.label} does not answer as PostgreSQL does: correct host and port of provider ${this.provider}.`,
      { kind: "communication", outcome: this.#hasChanged ? "unknown" : "never-began" },
    );
  }

  #stopped(): ConnectorError {
    if (!this.#hasChanged) return stopped();
    return new ConnectorError("It was stopped, and what it had begun may be done.", { kind: "timeout", outcome: "unknown" });
  }

  /** Asks the server to end the statement that is under way, and hangs up when that does not help. */
  #cancel(): void {
    const { client, socket } = this.#connection;
    this.#deadline = setTimeout(() => socket.destroy(new Error("the attempt was stopped")), this.#deps.limits.cancelMs);
    // The types leave out the number of the server's process, which every version of pg has.
    const { processID } = client as unknown as { readonly processID: number | null };
    const signal = AbortSignal.timeout(this.#deps.limits.cancelMs);
    openConnection(this.server, {
      ...this.#deps,
      signal,
      database: this.database,
      statementTimeoutMs: this.#deps.limits.cancelMs,
      label: "tutti",
    })
      .then(async ({ client: other, socket: its }) => {
        await other.query("SELECT pg_catalog.pg_cancel_backend($1)", [processID]);
        await other.end();
        its.destroy();
      })
      // The deadline hangs up.
      .catch(() => {});
  }
}

class StrangeError extends Error {}
