import { once } from "node:events";
import type { Agent, ClientRequest, IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { ConnectorError } from "@tutti/connector-kit";
import type { Json } from "@tutti/model";

/** An engine answers most questions in milliseconds; on a machine that is out of breath in seconds. */
const ANSWER_TIMEOUT_MS = 30_000;
/** Of an answer that is no log: lists of containers and descriptions of images are far smaller. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;

export interface EngineAnswer {
  readonly status: number;
  readonly body: Json;
}

export interface EngineRequest {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "DELETE";
  /** Without a version: the engine then speaks its own, so that no version is too old or too new for it. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: Json | Buffer;
  /** Undefined: as long as it takes, for what waits on purpose. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The HTTP API of a Docker-compatible engine on its Unix socket. */
export class EngineClient {
  readonly socketPath: string;
  /** Loaded by whoever has containers to run: it takes every other process a tenth of its start. */
  readonly #http = process.getBuiltinModule("node:http");
  readonly #agent: Agent;

  constructor(socketPath: string) {
    this.socketPath = socketPath;
    this.#agent = new this.#http.Agent({ keepAlive: false });
  }

  /** @throws ConnectorError `never-began` when the engine can't be reached, `unknown` when it was lost. */
  async ask(request: EngineRequest): Promise<EngineAnswer> {
    const response = await this.open({ timeoutMs: ANSWER_TIMEOUT_MS, ...request });
    const chunks: Buffer[] = [];
    let length = 0;
    try {
      // A stream of HTTP yields buffers; its type leaves that open.
      for await (const chunk of response as AsyncIterable<Buffer>) {
        length += chunk.length;
        if (length > ANSWER_BYTES_MAX) throw new Error("its answer does not end");
        chunks.push(chunk);
      }
    } catch (error) {
      throw this.#lost(error);
    } finally {
      response.destroy();
    }
    return { status: response.statusCode ?? 0, body: parse(Buffer.concat(chunks).toString("utf8")) };
  }

  /** The answer as a stream, whatever its status; the caller reads or destroys it. */
  async open(request: EngineRequest): Promise<IncomingMessage> {
    const sent = this.#send(request);
    const { body } = request;
    if (body === undefined) sent.end();
    else sent.end(Buffer.isBuffer(body) ? body : JSON.stringify(body));
    try {
      // `response` brings one message.
      const [response] = (await once(sent, "response")) as [IncomingMessage];
      return response;
    } catch (error) {
      throw this.#lost(error);
    }
  }

  /**
   * Starts a container by `start` and hands `text` to its standard input, then closes that.
   *
   * @returns once it is started, what resolves when the engine has taken all of it, or the container has ended without.
   */
  async feed(id: string, text: string, start: () => Promise<void>): Promise<{ readonly written: Promise<void> }> {
    const sent = this.#send(
      { method: "POST", path: `/containers/${id}/attach`, query: { stream: "1", stdin: "1" } },
      {
        connection: "Upgrade",
        upgrade: "tcp",
      },
    );
    sent.end();
    try {
      // An upgrade brings the head of the answer and the connection.
      const upgraded = once(sent, "upgrade");
      const refused = once(sent, "response").then(([response]) => {
        (response as IncomingMessage).destroy();
        throw new Error("it does not let its standard input be used");
      });
      refused.catch(() => {});
      const [, socket] = (await Promise.race([upgraded, refused])) as [IncomingMessage, Socket];
      // A program that does not read its input closes it: that is its business.
      socket.on("error", () => {});
      socket.resume();
      await start();
      const written = new Promise<void>((resolve) => {
        socket.once("close", () => resolve());
        socket.end(text, () => resolve());
      });
      return { written };
    } catch (error) {
      throw error instanceof ConnectorError ? error : this.#lost(error);
    }
  }

  #send(request: EngineRequest, headers: Readonly<Record<string, string>> = {}): ClientRequest {
    const query = new URLSearchParams(request.query ?? {}).toString();
    const type = Buffer.isBuffer(request.body) ? "application/x-tar" : "application/json";
    const sent = this.#http.request({
      socketPath: this.socketPath,
      agent: this.#agent,
      method: request.method,
      path: query === "" ? request.path : `${request.path}?${query}`,
      headers: { host: "engine", ...(request.body === undefined ? {} : { "content-type": type }), ...headers },
      ...(request.signal === undefined ? {} : { signal: request.signal }),
    });
    if (request.timeoutMs !== undefined) {
      sent.setTimeout(request.timeoutMs, () => sent.destroy(new Error(`it did not answer within ${(request.timeoutMs ?? 0) / 1000} s`)));
    }
    return sent;
  }

  #lost(error: unknown): ConnectorError {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    const reason = error instanceof Error ? error.message : String(error);
    const isUnreachable = code === "ENOENT" || code === "ECONNREFUSED" || code === "EACCES";
    return new ConnectorError(
      isUnreachable
        ? `The container engine at ${this.socketPath} can't be reached: ${reason}. Start it, or name its socket in containers.engine of the data directory's settings.yaml.`
        : `The connection to the container engine at ${this.socketPath} was lost: ${reason}.`,
      {
        kind: "communication",
        outcome: isUnreachable ? "never-began" : "unknown",
        retryable: code !== "EACCES",
        cause: error,
      },
    );
  }
}

function parse(text: string): Json {
  if (text === "") return null;
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}
