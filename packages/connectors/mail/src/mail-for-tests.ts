import { readdir, readFile } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import type { AttemptProvider } from "@tutti/connector-kit";
import type { ConnectorUnderTest, OpenTarget, TargetFault } from "@tutti/connector-kit/conformance";
import type { JsonObject } from "@tutti/model";
import { freePort, startLabSystem } from "@tutti/testkit/lab";

export const PASSWORD = "lab-password-0123456789";

/** A mail server of a test's own, which keeps all mails. */
export interface MailServer {
  readonly port: number;
  /** The server's own certificate, signed by itself, with its key. */
  readonly tls: { readonly cert: string; readonly key: string };
  provider(port: number, more?: { readonly configuration?: JsonObject; readonly credentials?: JsonObject }): AttemptProvider;
  /** The mails that arrived, once there are so many. */
  mails(count: number): Promise<readonly string[]>;
  stop(): Promise<void>;
}

/** Starts Postfix and Dovecot by `lab/mail.sh`, beside any other that runs. */
export async function startMail(): Promise<MailServer> {
  const [smtp, imap] = [await freePort(), await freePort()];
  const system = await startLabSystem("mail", { SMTP_PORT: smtp, IMAP_PORT: imap, MAIL_PASSWORD: PASSWORD });
  const authorities = await readFile(join(system.state, "mail/cert.pem"), "utf8");
  const key = await readFile(join(system.state, "mail/key.pem"), "utf8");
  const arrived = join(system.state, "mail/home/Maildir/new");
  return {
    port: smtp,
    tls: { cert: authorities, key },
    provider: (port, more = {}) => ({
      name: "post",
      configuration: { host: "127.0.0.1", port, from: "Tutti <tutti@lab.test>", authorities, ...more.configuration },
      credentials: more.credentials ?? { user: "tutti", password: PASSWORD },
    }),
    mails: async (count) => {
      for (;;) {
        // A file is renamed into this directory when it is whole.
        const files: readonly string[] = await readdir(arrived).catch((): string[] => []);
        if (files.length >= count) return Promise.all(files.map((file) => readFile(join(arrived, file), "utf8")));
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    stop: () => system.stop(),
  };
}

/** The way to a mail server, which fails on demand. */
export function smtpTarget(server: MailServer): ConnectorUnderTest["open"] {
  return async (fault) => {
    const door = await SmtpDoor.open((socket) => serve(socket, fault, server.port));
    if (fault.kind === "down") await door.close();
    return {
      provider: providerFor(server, fault, door.port),
      requests: () => door.connections,
      reached: door.reached,
      close: () => door.close(),
    };
  };
}

function providerFor(server: MailServer, fault: TargetFault, port: number): AttemptProvider {
  if (fault.kind === "denied") return server.provider(port, { credentials: { user: "tutti", password: "another-0123456789" } });
  // It speaks no TLS, so that it hears everything.
  if (fault.kind === "echo") return server.provider(port, { configuration: { tls: "none" } });
  return server.provider(port);
}

/** A server on a local port; `serve` has each connection. */
export class SmtpDoor implements Pick<OpenTarget, "reached"> {
  connections = 0;
  readonly reached: Promise<void>;
  #reach: () => void = () => {};
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(serveSocket: (socket: Socket) => void) {
    this.reached = new Promise((resolve) => (this.#reach = resolve));
    this.#server = createServer((socket) => {
      this.connections += 1;
      this.#reach();
      this.#sockets.add(socket);
      // A peer that goes away is the other side's story.
      socket.on("error", () => {});
      serveSocket(socket);
    });
  }

  static async open(serveSocket: (socket: Socket) => void): Promise<SmtpDoor> {
    const door = new SmtpDoor(serveSocket);
    await new Promise<void>((resolve) => door.#server.listen(0, "127.0.0.1", resolve));
    return door;
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : this.#closedPort;
  }
  #closedPort = 0;

  async close(): Promise<void> {
    this.#closedPort = this.port;
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

function serve(socket: Socket, fault: TargetFault, port: number): void {
  switch (fault.kind) {
    case "silent":
      return;
    case "busy":
      socket.end("421 4.3.2 Come back later\r\n");
      return;
    case "garbage":
      socket.end("<html>\u0000 {[ not what you think\r\n");
      return;
    case "stranger":
      socket.end("+OK Dovecot (POP3) ready.\r\n");
      return;
    case "flood":
      flood(socket);
      return;
    case "echo":
      echo(socket);
      return;
    default:
      pass(socket, port);
  }
}

function pass(socket: Socket, port: number): void {
  const through = connect(port, "127.0.0.1");
  through.on("error", () => socket.destroy());
  socket.on("close", () => through.destroy());
  socket.pipe(through).pipe(socket);
}

/** Greets without end. */
function flood(socket: Socket): void {
  const lines = "220-Welcome, and there is more to say\r\n".repeat(1000);
  const pour = (): void => {
    while (!socket.destroyed && socket.write(lines));
    if (!socket.destroyed) socket.once("drain", pour);
  };
  pour();
}

/** A server that lets nobody in and tells everything that it was sent. */
function echo(socket: Socket): void {
  const heard: string[] = [];
  socket.write("220 echo.test ESMTP\r\n");
  socket.setEncoding("utf8");
  socket.on("data", (text: string) => {
    for (const line of text.split("\r\n").filter((each) => each !== "")) {
      heard.push(line);
      if (line.startsWith("EHLO")) socket.write("250-echo.test\r\n250 AUTH PLAIN\r\n");
      else
        socket.write(
          `535 5.7.8 You said ${heard.join(" ")}, which is ${Buffer.from(line.split(" ").at(-1) ?? "", "base64").toString("utf8")}\r\n`,
        );
    }
  });
}
