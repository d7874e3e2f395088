import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import type { AttemptProvider } from "@tutti/connector-kit";
import type { OpenTarget, TargetFault } from "@tutti/connector-kit/conformance";
import type { JsonObject } from "@tutti/model";
import { freePort, startLabSystem } from "@tutti/testkit/lab";
import pg from "pg";
import { scramVerifier } from "./scram.ts";

const ADMIN_PASSWORD = "lab-admin-0123456789";
const FLOOD_BYTES = 64 * 1024 * 1024;
const FLOOD_PIECE_BYTES = 64 * 1024;
/** Durability is not what these tests are about; what a log would tell of statements is. */
const SETTINGS = "fsync = off\nlog_statement = 'all'\nlog_min_duration_statement = 0\nlog_parameter_max_length = -1";

/** A PostgreSQL of a test's own, with a database `lab`. */
export interface Postgres {
  readonly port: number;
  /** The directory of its unix socket. */
  readonly directory: string;
  /** Its certificate, PEM. */
  readonly certificate: string;
  /** Where the server writes down every statement. */
  readonly log: string;
  /** As superuser. */
  provider(more?: { readonly port?: number; readonly password?: string; readonly configuration?: JsonObject }): AttemptProvider;
  /** Speaks to it past the connector. */
  ask(sql: string, database?: string): Promise<readonly Record<string, unknown>[]>;
  /** Takes everything away that tests have made. */
  empty(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts PostgreSQL by `lab/postgres.sh`, beside any other that runs. */
export async function startPostgres(): Promise<Postgres> {
  const port = await freePort();
  const system = await startLabSystem("postgres", {
    POSTGRES_PORT: port,
    POSTGRES_ADMIN_PASSWORD: ADMIN_PASSWORD,
    POSTGRES_SETTINGS: SETTINGS,
  });
  const directory = join(system.state, "postgres");
  const clients = new Map<string, Promise<pg.Client>>();
  const clientOf = (database: string): Promise<pg.Client> => {
    const known = clients.get(database);
    if (known !== undefined) return known;
    const client = new pg.Client({ host: directory, port, user: "postgres", database });
    client.on("error", () => {});
    const opened = client.connect().then(() => client);
    clients.set(database, opened);
    return opened;
  };
  const ask: Postgres["ask"] = async (sql, database = "postgres") => {
    const result = await (await clientOf(database)).query<Record<string, unknown>>(sql);
    return Array.isArray(result) ? [] : result.rows;
  };
  // Thousands of logins: the proof of the password is made as cheap as it can be.
  await ask(`ALTER ROLE admin PASSWORD '${await scramVerifier(ADMIN_PASSWORD, 1)}'`);
  return {
    port,
    directory,
    certificate: await readFile(join(directory, "tls.pem"), "utf8"),
    log: join(system.state, "log", "postgres.log"),
    provider: ({ port: at = port, password = ADMIN_PASSWORD, configuration = {} } = {}) => ({
      name: "db",
      configuration: { host: "127.0.0.1", port: at, databases: ["lab"], tls: "none", ...configuration },
      credentials: { user: "admin", password },
    }),
    ask,
    empty: () => empty(ask),
    stop: async () => {
      for (const client of clients.values()) await (await client).end();
      await system.stop();
    },
  };
}

async function empty(ask: Postgres["ask"]): Promise<void> {
  const quoted = (name: unknown): string => `"${String(name).replaceAll('"', '""')}"`;
  const databases = await ask("SELECT datname FROM pg_database WHERE datname NOT IN ('postgres', 'template0', 'template1', 'lab')");
  for (const { datname } of databases) await ask(`DROP DATABASE ${quoted(datname)} WITH (FORCE)`);
  const schemas = await ask(
    "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public')",
    "lab",
  );
  for (const { nspname } of schemas) await ask(`DROP SCHEMA ${quoted(nspname)} CASCADE`, "lab");
  const extensions = await ask("SELECT extname FROM pg_extension WHERE extname <> 'plpgsql'", "lab");
  for (const { extname } of extensions) await ask(`DROP EXTENSION ${quoted(extname)} CASCADE`, "lab");
  const roles = await ask("SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_' AND rolname NOT IN ('postgres', 'admin', 'lab')");
  for (const { rolname } of roles) {
    for (const database of ["lab", "postgres"]) await ask(`DROP OWNED BY ${quoted(rolname)} CASCADE`, database);
    await ask(`DROP ROLE ${quoted(rolname)}`);
  }
  for (const database of ["lab", "postgres"]) await ask("SELECT lo_unlink(oid) FROM pg_largeobject_metadata", database);
  await ask("GRANT CONNECT, TEMPORARY ON DATABASE lab TO public");
}

/**
 * A way to the server that loses and spoils answers on demand. A request is a statement outside of a transaction, and the first and the last of one: what
 * is lost in between is never done, which a test of its own shows at each statement. The login passes. TCP brings nothing twice, so "doubled" passes, too:
 * another test asks twice at the same time.
 */
export async function openDoor(
  postgres: Postgres,
  fault: TargetFault,
  count: "transactions" | "statements" = "transactions",
): Promise<OpenTarget> {
  const door = new Door(postgres.port, fault, count);
  const port = await door.open();
  const password = fault.kind === "denied" ? { password: "another-0123456789" } : {};
  return {
    provider: postgres.provider({ port, ...password }),
    requests: () => door.requests,
    reached: door.reached,
    close: () => door.close(),
  };
}

class Door {
  requests = 0;
  readonly reached: Promise<void>;
  readonly #port: number;
  readonly #fault: TargetFault;
  readonly #count: "transactions" | "statements";
  readonly #server: Server;
  readonly #open = new Set<Socket>();
  #reach: () => void = () => {};

  constructor(port: number, fault: TargetFault, count: "transactions" | "statements") {
    this.#port = port;
    this.#fault = fault;
    this.#count = count;
    this.reached = new Promise((resolve) => (this.#reach = resolve));
    this.#server = createServer((client) => {
      this.#open.add(client.on("close", () => this.#open.delete(client)).on("error", () => {}));
      this.#serve(client);
    });
  }

  async open(): Promise<number> {
    if (this.#fault.kind === "down") return freePort();
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    // A listening TCP server has an address and a port.
    return (this.#server.address() as { readonly port: number }).port;
  }

  async close(): Promise<void> {
    for (const client of this.#open) client.destroy();
    if (this.#server.listening) await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #serve(client: Socket): void {
    switch (this.#fault.kind) {
      case "silent":
        client.on("data", () => {
          this.requests += 1;
          this.#reach();
        });
        return;
      case "busy":
        client.once("data", () => client.end(errorMessage("FATAL", "57P03", "the database system is starting up")));
        return;
      case "garbage":
        client.once("data", () => client.end("<html>\u0000 {[ not what you think\n"));
        return;
      case "echo":
        this.#tellEverything(client);
        return;
      case "stranger":
        this.#pretend(client, () => void client.write(Buffer.concat([status(), complete("SELECT 1"), READY])));
        return;
      case "flood":
        this.#pretend(client, () => flood(client));
        return;
      default:
        this.#pass(client);
    }
  }

  /** Asks for the password as it is, and tells it. */
  #tellEverything(client: Socket): void {
    const heard: Buffer[] = [];
    client.on("data", (part: Buffer) => {
      heard.push(part);
      if (heard.length === 1) client.write(message("R", int32(3)));
      else client.end(errorMessage("FATAL", "XX000", `you said ${Buffer.concat(heard).toString("latin1").replaceAll("\0", " ")}`));
    });
  }

  #pretend(client: Socket, answer: () => void): void {
    let isIn = false;
    const frames = new Frames();
    client.on("data", (part: Buffer) => {
      if (!isIn) {
        isIn = true;
        client.write(Buffer.concat([message("R", int32(0)), message("S", text("server_version"), text("15.0")), READY]));
        return;
      }
      for (const { type } of frames.take(part)) if (type === "Q" || type === "S") answer();
    });
  }

  #pass(client: Socket): void {
    const server = connect({ host: "127.0.0.1", port: this.#port });
    this.#open.add(server.on("error", () => client.destroy()).on("close", () => client.destroy()));
    client.on("close", () => server.destroy());
    const frames = new Frames();
    const answers = new Frames();
    const fault = this.#fault;
    let isFirst = true;
    /** The server said so of the last statement: it is in a transaction. */
    let isWithin = false;
    /** What comes back of the request that the fault is about ends here. */
    let isLost = false;
    server.on("data", (part: Buffer) => {
      if (!isLost) {
        // An answer ends with the state: idle, in a transaction, in one that has failed.
        if (part.length >= 6 && part[part.length - 6] === "Z".charCodeAt(0)) isWithin = part.at(-1) !== "I".charCodeAt(0);
        client.write(part);
        return;
      }
      // The whole answer: it is carried out.
      for (const { type } of answers.take(part)) {
        if (type !== "Z") continue;
        if (fault.kind === "failed-after")
          client.end(errorMessage("FATAL", "57P01", "terminating connection due to administrator command"));
        else client.destroy();
      }
    });
    client.on("data", (part: Buffer) => {
      if (isFirst) {
        isFirst = false;
        server.write(part);
        return;
      }
      // pg asks for one statement after the other.
      const isStatement = frames.take(part).some(({ type }) => type === "Q" || type === "S");
      if (isStatement && fault.kind !== "doubled" && (!isWithin || this.#count === "statements" || part.includes("COMMIT"))) {
        this.requests += 1;
        this.#reach();
        const isHere = "request" in fault && fault.request === this.requests;
        if (isHere && fault.kind === "request-lost") {
          client.destroy();
          server.destroy();
          return;
        }
        if (isHere && (fault.kind === "answer-lost" || fault.kind === "failed-after")) isLost = true;
      }
      server.write(part);
    });
  }
}

/** Messages of the protocol after the start: a letter, a length, a body. */
class Frames {
  #rest = Buffer.alloc(0);

  take(part: Buffer): readonly { readonly type: string }[] {
    this.#rest = Buffer.concat([this.#rest, part]);
    const found: { readonly type: string }[] = [];
    while (this.#rest.length >= 5) {
      const length = 1 + this.#rest.readInt32BE(1);
      if (this.#rest.length < length) break;
      found.push({ type: String.fromCharCode(this.#rest[0] ?? 0) });
      this.#rest = this.#rest.subarray(length);
    }
    return found;
  }
}

function message(type: string, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from(type), int32(body.length + 4), body]);
}

function int32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeInt32BE(value);
  return buffer;
}

function int16(value: number): Buffer {
  const buffer = Buffer.alloc(2);
  buffer.writeInt16BE(value);
  return buffer;
}

function text(value: string): Buffer {
  return Buffer.from(`${value}\0`);
}

function errorMessage(severity: string, code: string, said: string): Buffer {
  return message("E", text(`S${severity}`), text(`V${severity}`), text(`C${code}`), text(`M${said}`), Buffer.alloc(1));
}

const READY = message("Z", Buffer.from("I"));

function complete(tag: string): Buffer {
  return message("C", text(tag));
}

/** A row with one column, `status`. */
function status(): Buffer {
  const description = message("T", int16(1), text("status"), int32(0), int16(0), int32(25), int16(-1), int32(-1), int16(0));
  return Buffer.concat([message("1"), message("2"), description, row()]);
}

function row(): Buffer {
  return message("D", int16(1), int32(2), Buffer.from("ok"));
}

function flood(client: Socket): void {
  client.write(status());
  const piece = Buffer.concat(Array.from({ length: FLOOD_PIECE_BYTES / row().length }, row));
  let sent = 0;
  const more = (): void => {
    while (sent < FLOOD_BYTES && !client.destroyed) {
      sent += piece.length;
      if (!client.write(piece)) {
        client.once("drain", more);
        return;
      }
    }
  };
  more();
}
