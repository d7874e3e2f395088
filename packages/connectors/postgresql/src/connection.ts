import { connect as connectSocket, type Socket } from "node:net";
import { getCACertificates } from "node:tls";
import { describeNetworkFailure } from "@tutti/connector-http";
import { ConnectorError, type Network } from "@tutti/connector-kit";
import type { Client } from "pg";
import type { Server } from "./provider.ts";
import { VALUE_PARSERS } from "./values.ts";

export interface PostgresqlLimits {
  /** From asking for a connection to a session that takes statements. Milliseconds. */
  readonly connectMs: number;
  /** Of everything that a session answers. */
  readonly answerBytesMax: number;
  /** How long a session has to end after it was asked to. Milliseconds. */
  readonly cancelMs: number;
}

export const DEFAULT_POSTGRESQL_LIMITS: PostgresqlLimits = {
  connectMs: 15_000,
  // The hard limit of a value in a run.
  answerBytesMax: 16 * 1024 * 1024,
  // The runtime waits five seconds for an attempt that it asked to stop.
  cancelMs: 2500,
};

/** A statement waits this long for others that hold what it needs. */
const LOCK_WAIT_MS = 30_000;
/** A transaction of a process that died without a word ends after this time. */
const IDLE_TRANSACTION_MS = 60_000;

export interface ConnectOptions {
  readonly network: Network;
  readonly limits: PostgresqlLimits;
  readonly signal: AbortSignal;
  /** How the session is called in pg_stat_activity. */
  readonly label: string;
  readonly database: string;
  /** 0 is no limit. */
  readonly statementTimeoutMs: number;
}

/** An open connection. */
export interface Connection {
  readonly client: Client;
  /** Resolves with what went wrong when the session ends by itself. */
  readonly socket: Socket;
}

/**
 * Logs in.
 *
 * @throws ConnectorError never-began where no server was reached; what the server answers to the login is thrown as it is.
 */
export async function openConnection(server: Server, options: ConnectOptions): Promise<Connection> {
  const { network, limits, signal } = options;
  // Loaded when the first session is opened: a process that opens none does not pay for it.
  const { default: pg } = await import("pg");
  const socket = await openSocket(server, options);
  const trusted =
    server.tls?.authorities === undefined
      ? network.certificateAuthorities
      : [...(network.certificateAuthorities ?? getCACertificates("default")), server.tls.authorities];
  const abort = (): void => void socket.destroy(new Error("the attempt was stopped"));
  const client = new pg.Client({
    host: "host" in server.at ? server.at.host : "localhost",
    port: "host" in server.at ? server.at.port : 0,
    database: options.database,
    user: server.user,
    // Said here, nothing is looked for in the environment or in a file of the user.
    password: server.password ?? noPassword,
    stream: () => asOpened(socket),
    ssl:
      server.tls === undefined
        ? false
        : {
            // Said here, it also holds where NODE_TLS_REJECT_UNAUTHORIZED=0 stands in the environment.
            rejectUnauthorized: true,
            minVersion: "TLSv1.2",
            ...(trusted === undefined ? {} : { ca: [...trusted] }),
            ...(server.tls.certificate === undefined ? {} : { cert: server.tls.certificate, key: server.tls.key }),
          },
    client_encoding: "UTF8",
    application_name: options.label,
    options: `-c client_min_messages=warning -c datestyle=ISO -c intervalstyle=iso_8601 -c lock_timeout=${LOCK_WAIT_MS}`,
    statement_timeout: options.statementTimeoutMs,
    idle_in_transaction_session_timeout: IDLE_TRANSACTION_MS,
    connectionTimeoutMillis: limits.connectMs,
    types: VALUE_PARSERS,
  });
  // A lost connection is told to the statement that is under way; without one the next statement fails.
  client.on("error", () => {});
  signal.addEventListener("abort", abort, { once: true });
  try {
    const opened = client.connect();
    limitAnswers(client, socket, limits.answerBytesMax);
    await opened;
    return { client, socket };
  } catch (error) {
    socket.destroy();
    if (signal.aborted) throw stopped();
    throw loginFailure(error, server);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/** What an aborted attempt fails with that has changed nothing. */
export function stopped(): ConnectorError {
  return new ConnectorError("It was stopped before it changed anything.", { kind: "timeout", outcome: "never-began" });
}

/** What a server answers is no failure of the connection. */
export function isAnswer(
  error: unknown,
): error is Error & { readonly code: string; readonly severity: string; readonly detail?: string; readonly hint?: string } {
  return error instanceof Error && "severity" in error && "code" in error && typeof error.code === "string" && error.code.length === 5;
}

async function openSocket(server: Server, { network, limits, signal }: ConnectOptions): Promise<Socket> {
  if (signal.aborted) throw stopped();
  let socket: Socket | undefined;
  try {
    if ("host" in server.at) network.checkHost(server.at.host);
    const opened = connectSocket("path" in server.at ? server.at : { ...server.at, lookup: network.lookup });
    socket = opened;
    await new Promise<void>((resolve, reject) => {
      const give = (message: string): void => reject(Object.assign(new Error(message), { code: "ETIMEDOUT", syscall: "connect" }));
      const timer = setTimeout(() => give(`no connection within ${limits.connectMs / 1000} s`), limits.connectMs);
      const abort = (): void => give("the attempt was stopped");
      signal.addEventListener("abort", abort, { once: true });
      const end = (): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", abort);
      };
      opened.once("error", (error) => {
        end();
        reject(error);
      });
      opened.once("connect", () => {
        end();
        resolve();
      });
    });
    return opened;
  } catch (error) {
    socket?.on("error", () => {}).destroy();
    if (signal.aborted) throw stopped();
    throw describeNetworkFailure(error, server.label);
  }
}

/** pg opens what it is given by itself; this one is open already, by the rules of the network. */
function asOpened(socket: Socket): Socket {
  const connect = (): Socket => {
    process.nextTick(() => socket.emit("connect"));
    return socket;
  };
  return Object.assign(socket, { connect });
}

/** Cuts off a server that does not stop answering. */
function limitAnswers(client: Client, socket: Socket, bytesMax: number): void {
  let bytes = 0;
  const count = (part: Buffer): void => {
    bytes += part.length;
    if (bytes > bytesMax) socket.destroy(new TooLargeError(bytesMax));
  };
  // The types leave out the connection of a client, which every version of pg has.
  const { connection } = client as unknown as { readonly connection: { stream: Socket; once(event: string, listener: () => void): void } };
  if (client.ssl) connection.once("sslconnect", () => connection.stream.on("data", count));
  else socket.on("data", count);
}

/** The server answered more than anybody wants. */
export class TooLargeError extends Error {
  constructor(bytesMax: number) {
    super(`PostgreSQL's answer has more than ${Math.ceil(bytesMax / 1024 / 1024)} MiB: ask for less`);
    this.name = "TooLargeError";
  }
}

class NoPasswordError extends Error {}

function noPassword(): never {
  throw new NoPasswordError("The server asks for a password, and the provider has none.");
}

function loginFailure(error: unknown, server: Server): unknown {
  if (isAnswer(error)) return error;
  const never = { outcome: "never-began", cause: error } as const;
  if (error instanceof NoPasswordError)
    return new ConnectorError(`${server.label} asks for a password, and provider ${server.name} has none: add the credential password.`, {
      kind: "authentication",
      ...never,
    });
  const message = error instanceof Error ? error.message : String(error);
  if (message.includes("does not support SSL"))
    return new ConnectorError(
      `${server.label} speaks no TLS: set ssl = on in its postgresql.conf, or tls: none of provider ${server.name} if it runs on this machine.`,
      { kind: "configuration", ...never },
    );
  const { errorKind, retryable, message: said } = describeNetworkFailure(error, server.label);
  // No statement was sent.
  return new ConnectorError(said, { kind: errorKind, retryable, ...never });
}
