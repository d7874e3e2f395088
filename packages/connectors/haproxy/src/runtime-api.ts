import { connect, type Socket } from "node:net";
import { ConnectorError, type ProviderAccess, readProvider, z } from "@tutti/connector-kit";

/** A path has room for 107 bytes in a socket's address. */
const SOCKET_PATH_CHARACTERS_MAX = 107;

export const CONFIGURATION = z
  .strictObject({
    socket: z
      .string()
      .max(SOCKET_PATH_CHARACTERS_MAX)
      .regex(/^\/[^\0]+$/, "an absolute path")
      .optional()
      .meta({ description: "Path of the stats socket with level admin: /run/haproxy/admin.sock" }),
    host: z.string().min(1).optional().meta({ description: "Instead of the socket: where the runtime API listens on TCP" }),
    port: z.int().min(1).max(65_535).optional().meta({ description: "Port on that host" }),
  })
  .refine(
    ({ socket, host, port }) =>
      socket === undefined ? host !== undefined && port !== undefined : host === undefined && port === undefined,
    {
      message: "name socket, or host and port",
    },
  );
export const CREDENTIALS = z.strictObject({});

/** HAProxy answers within milliseconds; what takes longer is hung, or not HAProxy. */
export const ANSWER_MS = 30_000;
/** 16 MiB are about 100,000 servers. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;
/** What of HAProxy's words is told on; it says what is wrong in a sentence. */
const EXCERPT_CHARACTERS_MAX = 300;
/** The connection never came to be, and nothing was sent. Whether it can later, by code. */
const CONNECT_FAILURES: ReadonlyMap<string, boolean> = new Map([
  ["ECONNREFUSED", true],
  ["ENOENT", true],
  ["EAGAIN", true],
  ["ETIMEDOUT", true],
  ["EHOSTUNREACH", true],
  ["ENETUNREACH", true],
  ["ENOTFOUND", false],
  ["EACCES", false],
  ["EPERM", false],
  ["ENOTSOCK", false],
]);

/**
 * HAProxy's runtime API, as one attempt speaks it: a connection per command, and the answer is whole when it ends with a line end and the connection
 * with it.
 */
export class RuntimeApi {
  readonly provider: string;
  readonly #access: ProviderAccess;
  readonly #open: () => Socket;
  /** A command that changes something was sent: from then on a failure is none that never began. */
  #hasChanged = false;

  /** @throws ConnectorError `configuration`. */
  constructor(access: ProviderAccess) {
    const { name, configuration } = readProvider({ configuration: CONFIGURATION, credentials: CREDENTIALS }, access);
    this.provider = name;
    this.#access = access;
    const { socket, host, port } = configuration;
    this.#open = () => (socket === undefined ? connect({ host, port: port ?? 0 }) : connect({ path: socket }));
  }

  /** Asks for something that changes nothing. The answer without its last line end. @throws ConnectorError. */
  ask(command: string): Promise<string> {
    return this.#send(command);
  }

  /**
   * Gives an order, and gives what HAProxy said to it. Callers build `command` of values that their schemas have checked: none holds a space, a
   * semicolon, a backslash or a line end.
   *
   * @throws ConnectorError: whether it began, and may be tried again. `authorization`: the socket's level is not admin.
   */
  async order(command: string): Promise<string> {
    const said = await this.#send(command, true);
    if (said.startsWith("Permission denied")) throw this.#noAdmin();
    if (said.startsWith("Unknown command"))
      throw this.refusal(`HAProxy does not know the command ${JSON.stringify(wordsOf(command))}: it takes version 2.6 or later.`);
    return said;
  }

  /** What HAProxy refuses for good. */
  refusal(message: string): ConnectorError {
    return new ConnectorError(message, { kind: "validation", outcome: "answered" });
  }

  /** HAProxy's words to a command that it has not carried out. */
  refused(command: string, said: string): ConnectorError {
    const shown = this.#access.masked(said).replaceAll(/\s+/g, " ").trim().slice(0, EXCERPT_CHARACTERS_MAX);
    return this.refusal(`HAProxy refuses ${JSON.stringify(wordsOf(command))}: ${shown === "" ? "it says nothing." : shown}`);
  }

  /** What answers speaks another language, or another version of it. */
  strange(): ConnectorError {
    return new ConnectorError(
      `What answers at the socket of provider ${this.provider} does not answer as HAProxy's runtime API does: correct the provider's socket.`,
      { kind: "communication", outcome: this.#hasChanged ? "unknown" : "answered" },
    );
  }

  #noAdmin(): ConnectorError {
    return new ConnectorError(
      `The socket of provider ${this.provider} may not change anything: give it \`level admin\` in HAProxy's configuration, or name another one.`,
      { kind: "authorization", outcome: this.#hasChanged ? "unknown" : "answered" },
    );
  }

  async #send(command: string, changes = false): Promise<string> {
    const { signal } = this.#access;
    if (signal.aborted) throw this.#failed("It was stopped before it began.", { kind: "timeout", hasBegun: false, retryable: false });
    const socket = this.#open();
    const deadline = setTimeout(() => socket.destroy(new Error("time")), ANSWER_MS);
    const abort = (): void => void socket.destroy(new Error("abort"));
    signal.addEventListener("abort", abort, { once: true });
    let isConnected = false;
    try {
      await connected(socket);
      isConnected = true;
      const wasChanged = this.#hasChanged;
      this.#hasChanged ||= changes;
      const said = await answerTo(socket, `${command}\n`);
      // A refusal is an answer: it changed nothing.
      if (changes && said.startsWith("Permission denied")) this.#hasChanged = wasChanged;
      return said;
    } catch (error) {
      throw this.#lost(error, isConnected);
    } finally {
      clearTimeout(deadline);
      signal.removeEventListener("abort", abort);
      socket.destroy();
    }
  }

  #lost(cause: unknown, isConnected: boolean): ConnectorError {
    if (this.#access.signal.aborted)
      return this.#failed("It was stopped.", { kind: "timeout", hasBegun: isConnected, retryable: false, cause });
    // Node's errors of sockets have a code.
    const code = (cause as NodeJS.ErrnoException).code ?? "";
    if (!isConnected && CONNECT_FAILURES.has(code)) {
      const isDenied = code === "EACCES" || code === "EPERM";
      const message = isDenied
        ? `Tutti may not use the socket of provider ${this.provider} (${code}): give its user access to it, \`stats socket … user\` or \`group\`.`
        : `HAProxy does not listen at the socket of provider ${this.provider} (${code}): start it, or correct the provider's socket.`;
      return this.#failed(message, {
        kind: isDenied ? "authorization" : "communication",
        hasBegun: false,
        retryable: CONNECT_FAILURES.get(code) ?? false,
        cause,
      });
    }
    const why = cause instanceof AnswerError ? cause.message : "The connection to HAProxy was lost before its answer was whole.";
    const isLarge = cause instanceof AnswerError;
    return this.#failed(why, { kind: "communication", hasBegun: true, retryable: !isLarge, cause });
  }

  #failed(
    message: string,
    how: {
      readonly kind: "timeout" | "communication" | "authorization";
      readonly hasBegun: boolean;
      readonly retryable: boolean;
      readonly cause?: unknown;
    },
  ): ConnectorError {
    const outcome = how.hasBegun || this.#hasChanged ? "unknown" : "never-began";
    return new ConnectorError(message, { kind: how.kind, outcome, retryable: how.retryable, cause: how.cause });
  }
}

class AnswerError extends Error {}

function connected(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once("connect", () => resolve());
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("closed")));
  });
}

/** The whole answer. An answer ends with a line end; one that does not was cut off. */
async function answerTo(socket: Socket, command: string): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  socket.write(command);
  // A socket without an encoding gives buffers.
  for await (const part of socket as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > ANSWER_BYTES_MAX) throw new AnswerError(`HAProxy's answer has more than ${ANSWER_BYTES_MAX / 1024 / 1024} MiB.`);
    parts.push(part);
  }
  const text = Buffer.concat(parts).toString("utf8");
  if (!text.endsWith("\n")) throw new Error("cut off");
  return text.slice(0, -1);
}

/** Of a command what says which one it is. */
function wordsOf(command: string): string {
  return command.split(" ").slice(0, 3).join(" ");
}
