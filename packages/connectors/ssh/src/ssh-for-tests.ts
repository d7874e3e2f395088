import { mkdir, readFile, rm } from "node:fs/promises";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { join } from "node:path";
import type { AttemptProvider } from "@tutti/connector-kit";
import type { ConnectorUnderTest, OpenTarget, TargetFault } from "@tutti/connector-kit/conformance";
import type { JsonObject } from "@tutti/model";
import { freePort, startLabSystem } from "@tutti/testkit/lab";
import ssh2, { type ClientChannel, type Connection, type ServerChannel } from "ssh2";

const PASSWORD = "lab-password-0123456789";

/** A host of a test's own: this machine behind an sshd. */
export interface SshHost {
  readonly port: number;
  /** Directory whose files are listed. */
  readonly files: string;
  /** Where Tutti keeps its things. */
  readonly kept: string;
  /** Path of one of the lab's files: keys, lines of known_hosts. */
  stateOf(name: string): string;
  read(name: string): Promise<string>;
  provider(more?: { readonly configuration?: JsonObject; readonly credentials?: JsonObject }): AttemptProvider;
  /** Starts a program on the host, on one connection for all: a login takes sshd longer than the program. */
  execute(command: string): Promise<ClientChannel>;
  empty(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts an sshd by `lab/sshd.sh`, beside any other that runs. */
export async function startSshHost(): Promise<SshHost> {
  const port = await freePort();
  const system = await startLabSystem("sshd", { SSHD_PORT: port });
  const read = (name: string): Promise<string> => readFile(join(system.state, "sshd", name), "utf8");
  const [privateKey, known] = [await read("id"), await read("known_hosts")];
  const [files, kept] = [join(system.state, "files"), join(system.state, "kept")];
  const empty = async (): Promise<void> => {
    for (const directory of [files, kept]) await rm(directory, { recursive: true, force: true });
    await mkdir(files, { recursive: true });
  };
  await empty();
  const client = new ssh2.Client();
  await new Promise<void>((resolve, reject) => {
    client.once("ready", resolve);
    client.on("error", reject);
    client.connect({ host: "127.0.0.1", port, username: "root", privateKey });
  });
  return {
    port,
    files,
    kept,
    stateOf: (name) => join(system.state, "sshd", name),
    read,
    provider: (more = {}) => ({
      name: "host",
      configuration: {
        host: "127.0.0.1",
        port,
        user: "root",
        hostKeys: [known.trim()],
        directory: kept,
        listed: [files],
        ...more.configuration,
      },
      credentials: more.credentials ?? { privateKey },
    }),
    execute: async (command) => {
      const channel = await new Promise<ClientChannel>((resolve, reject) => {
        client.exec(command, (error, opened) => (error === undefined ? resolve(opened) : reject(error)));
      });
      channel.on("error", () => {});
      return channel;
    },
    empty,
    stop: async () => {
      client.end();
      await system.stop();
    },
  };
}

/** The way to a host, which fails on demand: an SSH server that hands each program on to the real one. */
export async function openDoor(host: SshHost, fault: TargetFault): Promise<OpenTarget> {
  const hostKey = await host.read("host_key");
  const door = new Door(fault, { host, hostKey });
  await door.listen();
  const password = fault.kind === "denied" ? "another-0123456789" : PASSWORD;
  return {
    provider: host.provider({ configuration: { port: door.port }, credentials: { password } }),
    requests: () => door.requests,
    reached: door.reached,
    close: () => door.close(),
  };
}

export const openAt =
  (host: () => SshHost): ConnectorUnderTest["open"] =>
  (fault) =>
    openDoor(host(), fault);

class Door {
  requests = 0;
  port = 0;
  readonly reached: Promise<void>;
  #reach: () => void = () => {};
  readonly #fault: TargetFault;
  readonly #host: SshHost;
  readonly #server = createServer((socket) => this.#serve(socket));
  readonly #ssh: ssh2.Server;
  readonly #sockets = new Set<Socket>();
  #password = "";

  constructor(fault: TargetFault, how: { readonly host: SshHost; readonly hostKey: string }) {
    this.#fault = fault;
    this.#host = how.host;
    this.reached = new Promise((resolve) => (this.#reach = resolve));
    this.#ssh = new ssh2.Server({ hostKeys: [how.hostKey] }, (connection) => this.#welcome(connection));
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    // A listening TCP server has an address and a port.
    this.port = (this.#server.address() as AddressInfo).port;
    if (this.#fault.kind === "down") await this.close();
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    // A peer that goes away is the other side's story.
    socket.on("error", () => {});
    if (this.#fault.kind === "busy") socket.end("Exceeded MaxStartups\r\n");
    else if (this.#fault.kind === "garbage") socket.end(`HTTP/1.1 400 Bad Request\r\n\r\n<html>\u0000 {[${"x".repeat(300)}\r\n`);
    else this.#ssh.injectSocket(socket);
  }

  #welcome(connection: Connection): void {
    connection.on("error", () => {});
    connection.on("authentication", (context) => {
      if (context.method !== "password") return context.reject(["password"]);
      this.#password = context.password;
      if (context.password === PASSWORD) context.accept();
      else context.reject(["password"]);
    });
    connection.on("session", (accept) => {
      accept().on("exec", (take, _refuse, { command }) => {
        this.requests += 1;
        this.#reach();
        this.#answer(take(), command, { number: this.requests, lose: () => connection.end() });
      });
    });
  }

  #answer(stream: ServerChannel, command: string, how: { readonly number: number; readonly lose: () => void }): void {
    const fault = this.#fault;
    stream.on("error", () => {});
    if ("request" in fault && fault.request !== how.number) return void this.#pass(stream, command);
    switch (fault.kind) {
      case "silent":
        return;
      case "stranger":
        stream.write('{"status":"ok","message":"welcome"}\n');
        stream.exit(0);
        return void stream.end();
      case "echo":
        return void gather(stream).then((input) => {
          stream.stderr.write(`${command}\n${this.#password}\n`);
          stream.stderr.write(input);
          stream.exit(1);
          stream.end();
        });
      case "flood":
        return flood(stream);
      case "request-lost":
        return how.lose();
      case "answer-lost":
      case "failed-after":
        return void gather(stream).then(async (input) => {
          await this.#carryOut(command, input);
          if (fault.kind === "answer-lost") how.lose();
          // An sshd that is killed ends a channel without a word of how the program ended.
          else stream.close();
        });
      case "doubled":
        return void gather(stream).then(async (input) => {
          await this.#carryOut(command, input);
          await this.#pass(stream, command, input);
        });
      default:
        void this.#pass(stream, command);
    }
  }

  /** Hands it on as it comes, or with an input that was taken already. */
  async #pass(stream: ServerChannel, command: string, input?: Buffer): Promise<void> {
    const up = await this.#host.execute(command);
    up.on("exit", (code: number | null, signal?: string) => (code === null ? stream.exit(signal ?? "KILL", false, "") : stream.exit(code)));
    up.on("close", () => stream.end());
    up.pipe(stream, { end: false });
    up.stderr.pipe(stream.stderr, { end: false });
    stream.on("close", () => up.close());
    if (input === undefined) stream.pipe(up);
    else up.end(input);
  }

  async #carryOut(command: string, input: Buffer): Promise<void> {
    const up = await this.#host.execute(command);
    up.resume();
    up.stderr.resume();
    up.end(input);
    await new Promise((resolve) => up.on("close", resolve));
  }
}

async function gather(stream: ServerChannel): Promise<Buffer> {
  const parts: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => parts.push(chunk));
  await new Promise((resolve) => stream.once("end", resolve));
  return Buffer.concat(parts);
}

function flood(stream: ServerChannel): void {
  const lines = Buffer.from("y\n".repeat(16_000));
  let isOver = false;
  stream.on("close", () => (isOver = true));
  const pour = (): void => {
    while (!isOver && stream.write(lines));
    if (!isOver) stream.once("drain", pour);
  };
  stream.resume();
  pour();
}
