import type { Socket } from "node:net";
import { Readable } from "node:stream";
import { getCACertificates } from "node:tls";
import { connectTcp, describeNetworkFailure } from "@tutti/connector-http";
import { ConnectorError, type Network, type ProviderAccess } from "@tutti/connector-kit";
import type SMTPConnection from "nodemailer/lib/smtp-connection";
import type { MailProvider } from "./mail-provider.ts";

export interface SmtpLimits {
  /** From asking for a connection to having one. */
  readonly connectMs: number;
  /** Until the server greets. */
  readonly greetingMs: number;
  /** Without a sign of life at any later moment; RFC 5321 asks for five minutes. */
  readonly idleMs: number;
  /** Of one answer. */
  readonly answerBytesMax: number;
}

export const DEFAULT_SMTP_LIMITS: SmtpLimits = {
  connectMs: 10_000,
  greetingMs: 30_000,
  idleMs: 300_000,
  // Answers have some lines of text.
  answerBytesMax: 64 * 1024,
};

/** How long a server is given to say farewell in its turn. */
const FAREWELL_MS = 1000;
/** What of a server's words is told on. */
const EXCERPT_CHARACTERS_MAX = 300;

export interface SmtpDeps {
  readonly network: Network;
  readonly limits: SmtpLimits;
}

/** What the server has said to a mail. */
export interface Taken {
  readonly accepted: readonly string[];
  readonly refused: readonly { readonly address: string; readonly answer: string }[];
  readonly answer: string;
}

/** One conversation with a mail server, from the connection to the farewell. */
export class SmtpSession {
  readonly #provider: MailProvider;
  readonly #access: ProviderAccess;
  readonly #socket: Socket;
  readonly #connection: SMTPConnection;
  /** The whole message has been given to the connection: from here on the server may have taken it. */
  #isHandedOver = false;
  /** What nodemailer tells apart from the step that was under way. */
  #lost: Error | undefined;
  readonly #onAbort = (): void => this.end();

  private constructor(provider: MailProvider, access: ProviderAccess, socket: Socket, connection: SMTPConnection) {
    this.#provider = provider;
    this.#access = access;
    this.#socket = socket;
    this.#connection = connection;
    this.#connection.on("error", (error: Error) => {
      this.#lost ??= error;
    });
    access.signal.addEventListener("abort", this.#onAbort, { once: true });
  }

  /**
   * Connects, makes the connection secret, and logs in.
   *
   * @throws ConnectorError: nothing has been sent yet, so it never began unless the server has answered.
   */
  static async open(provider: MailProvider, access: ProviderAccess, deps: SmtpDeps): Promise<SmtpSession> {
    if (access.signal.aborted)
      throw new ConnectorError(`${provider.host} was not asked: the attempt was stopped.`, { kind: "timeout", outcome: "never-began" });
    const { network, limits } = deps;
    const socket = await connectTcp(provider, { network, signal: access.signal, connectMs: limits.connectMs });
    const session = new SmtpSession(provider, access, socket, await smtpConnection(provider, socket, deps));
    try {
      await session.#step((done) => session.#connection.connect((error?: Error | null) => done(error)));
      const { login } = provider;
      if (login !== undefined)
        await session.#step((done) =>
          session.#connection.login({ user: login.user, credentials: { user: login.user, pass: login.password } }, (error?: Error | null) =>
            done(error),
          ),
        );
      return session;
    } catch (error) {
      session.end();
      throw error;
    }
  }

  /**
   * Sends a message.
   *
   * @throws ConnectorError `unknown` only when the whole message had been handed over and no answer came: before that a server takes nothing
   * (RFC 5321, 4.1.1.4).
   */
  async send(envelope: { readonly from: string; readonly to: readonly string[] }, message: Buffer): Promise<Taken> {
    const stream = Readable.from([message], { objectMode: false });
    stream.once("end", () => (this.#isHandedOver = true));
    const info = await this.#step<{
      readonly accepted?: readonly string[];
      readonly rejectedErrors?: readonly { readonly recipient?: string; readonly response?: string }[];
      readonly response?: string;
    }>((done) =>
      this.#connection.send({ from: envelope.from, to: [...envelope.to], size: message.length }, stream, (error, result) =>
        done(error, result ?? {}),
      ),
    );
    return {
      accepted: [...(info.accepted ?? [])],
      refused: (info.rejectedErrors ?? []).map(({ recipient = "", response = "" }) => ({
        address: recipient,
        answer: this.#told(response),
      })),
      answer: this.#told(info.response ?? ""),
    };
  }

  /** Says farewell and closes the connection; nobody waits for it. */
  quit(): void {
    this.#connection.quit();
    setTimeout(() => this.end(), FAREWELL_MS).unref();
  }

  end(): void {
    this.#access.signal.removeEventListener("abort", this.#onAbort);
    this.#connection.close();
    this.#socket.destroy();
  }

  async #step<T>(start: (done: (error?: Error | null, result?: T) => void) => void): Promise<T> {
    const { signal } = this.#access;
    let onAbort = (): void => {};
    try {
      return await new Promise<T>((resolve, reject) => {
        onAbort = (): void => reject(new Error("the attempt was stopped"));
        signal.addEventListener("abort", onAbort, { once: true });
        this.#connection.once("error", reject);
        this.#connection.once("end", () => reject(this.#lost ?? new Error("the server has closed the connection")));
        // A step that gives nothing is asked for nothing.
        start((error, result) => (error ? reject(error) : resolve(result as T)));
      });
    } catch (error) {
      throw this.#failure(error);
    } finally {
      signal.removeEventListener("abort", onAbort);
      this.#connection.removeAllListeners("end");
    }
  }

  #failure(error: unknown): ConnectorError {
    const { host, name } = this.#provider;
    const { code, responseCode, response } = factsOf(error);
    const why = this.#told(error instanceof Error ? error.message : String(error));
    const outcome = this.#isHandedOver ? "unknown" : "never-began";
    if (this.#access.signal.aborted)
      return new ConnectorError(`The mail to ${host} was given up: the attempt was stopped.`, { kind: "timeout", outcome, cause: error });
    const certificate = describeNetworkFailure(withOriginalCode(error), host);
    if (certificate.outcome === "never-began" && !certificate.retryable) return certificate;
    if (code === "ETLS" || /STARTTLS/.test(why))
      return new ConnectorError(
        `${host} does not make the connection secret (${why}): correct \`tls\` of provider ${name}, its port, or the server's TLS.`,
        { kind: "communication", outcome, cause: error },
      );
    if (responseCode !== undefined) return this.#refused(responseCode, response ?? "", error);
    if (code === "ENOAUTH" || code === "EAUTH")
      return new ConnectorError(`${host} does not let provider ${name} log in (${why}): correct its credentials, or the server's AUTH.`, {
        kind: "authentication",
        outcome,
        cause: error,
      });
    if (code === "EPROTOCOL")
      return new ConnectorError(
        `What answers at ${host}:${this.#provider.port} does not speak SMTP (${why}): correct host and port of provider ${name}.`,
        {
          kind: "communication",
          outcome,
          cause: error,
        },
      );
    return new ConnectorError(
      this.#isHandedOver
        ? `The connection to ${host} was lost before it said whether it takes the mail (${why}).`
        : `${host} has not taken the mail, the connection was lost before (${why}).`,
      { kind: "communication", outcome, retryable: true, cause: error },
    );
  }

  /** A complete answer of the server. */
  #refused(status: number, response: string, cause: unknown): ConnectorError {
    const { host, name } = this.#provider;
    const said = this.#told(response);
    const isBusy = status >= 400 && status < 500;
    // 530, 534, 535, 538: RFC 4954.
    if (!isBusy && (factsOf(cause).code === "EAUTH" || [530, 534, 535, 538].includes(status)))
      return new ConnectorError(
        `${host} does not take the credentials of provider ${name} (${said}): correct the secret, or the account.`,
        {
          kind: "authentication",
          outcome: "answered",
          status,
        },
      );
    return new ConnectorError(`${host} ${isBusy ? "can't take the mail now" : "refuses the mail"}: ${said}`, {
      kind: isBusy ? "communication" : "validation",
      outcome: "answered",
      retryable: isBusy,
      status,
    });
  }

  /** Masked before it is cut. */
  #told(text: string): string {
    return this.#access.masked(text).replaceAll(/\s+/g, " ").trim().slice(0, EXCERPT_CHARACTERS_MAX);
  }
}

function factsOf(error: unknown): {
  readonly code: string | undefined;
  readonly responseCode: number | undefined;
  readonly response: string | undefined;
} {
  const of = error instanceof Error ? error : new Error(String(error));
  const code = "code" in of && typeof of.code === "string" ? of.code : undefined;
  const responseCode = "responseCode" in of && typeof of.responseCode === "number" && of.responseCode >= 400 ? of.responseCode : undefined;
  const response = "response" in of && typeof of.response === "string" ? of.response : undefined;
  return { code, responseCode, response };
}

/** Loaded when the first mail leaves: a process that sends none does not pay for it. */
async function smtpConnection(provider: MailProvider, socket: Socket, { limits, network }: SmtpDeps): Promise<SMTPConnection> {
  const { default: Connection } = await import("nodemailer/lib/smtp-connection");
  const trusted =
    provider.authorities === undefined
      ? network.certificateAuthorities
      : [...(network.certificateAuthorities ?? getCACertificates("default")), ...provider.authorities];
  return new Connection({
    host: provider.host,
    port: provider.port,
    connection: socket,
    secure: provider.tls === "tls",
    requireTLS: provider.tls === "starttls",
    ignoreTLS: provider.tls === "none",
    name: provider.clientName ?? "[127.0.0.1]",
    connectionTimeout: limits.connectMs + limits.greetingMs,
    greetingTimeout: limits.greetingMs,
    socketTimeout: limits.idleMs,
    maxResponseSize: limits.answerBytesMax,
    // Said here, it also holds where NODE_TLS_REJECT_UNAUTHORIZED=0 stands in the environment.
    tls: { rejectUnauthorized: true, minVersion: "TLSv1.2", ...(trusted === undefined ? {} : { ca: [...trusted] }) },
  });
}

/** nodemailer puts a word of its own in the place of the code by which a certificate's problem is known. */
function withOriginalCode(error: unknown): unknown {
  if (!(error instanceof Error) || !("originalCode" in error)) return error;
  const certificate = "cert" in error ? { cert: error.cert } : {};
  return Object.assign(new Error(error.message, { cause: error }), { code: error.originalCode, ...certificate });
}
