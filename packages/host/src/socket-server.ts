import { chmodSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { AppError, type Json } from "@tutti/model";
import { LineSplitter } from "./line-splitter.ts";
import {
  type Answer,
  type Bye,
  CONNECTIONS_MAX,
  type Hello,
  parseClientFrame,
  PROTOCOL_VERSION,
  type Request,
  REQUEST_BYTES_MAX,
  REQUESTS_MAX,
  toWireError,
} from "./protocol.ts";
import { isStreamCall, isUnaryCall, STREAM_CALLS, UNARY_CALLS } from "./service-calls.ts";
import type { DriveMode, TuttiService } from "./service.ts";

/** How long a stopping owner lets calls that are under way end, and answers leave. */
const STOP_GRACE_MS = 3000;

export interface SocketServerOptions {
  readonly path: string;
  readonly service: Omit<TuttiService, "owner" | "close">;
  readonly version: string;
  readonly drive: DriveMode;
  readonly report: (message: string, cause: unknown) => void;
  /** Told before a call is carried out, so that the owner knows for which runs others count on it. */
  readonly onRunAsked: (runId: string) => void;
  readonly stopGraceMs?: number;
}

/** Answers other `tutti` processes of the same user. Only the owner of the data directory has one, so the file at `path` is its own to replace. */
export class SocketServer {
  readonly #options: SocketServerOptions;
  readonly #server: Server;
  readonly #connections = new Set<Connection>();
  #isStopping = false;

  constructor(options: SocketServerOptions) {
    this.#options = options;
    this.#server = createServer((socket) => this.#accept(socket));
    this.#server.maxConnections = CONNECTIONS_MAX;
  }

  /** Resolves when others can connect. A socket file that a killed owner left behind is replaced. */
  async start(): Promise<void> {
    rmSync(this.#options.path, { force: true });
    // The file is made with the mode it shall have: between bind and chmod nobody else may connect. The directory is 0700 anyway.
    const before = process.umask(0o177);
    try {
      await new Promise<void>((resolve, reject) => {
        this.#server.once("error", reject);
        this.#server.listen(this.#options.path, resolve);
      });
    } finally {
      process.umask(before);
    }
    chmodSync(this.#options.path, 0o600);
    this.#server.on("error", (cause) => this.#options.report("The socket failed", cause));
  }

  /** Takes no new requests, lets those that are answered once end, ends streams and waits, and closes. */
  async stop(): Promise<void> {
    if (this.#isStopping) return;
    this.#isStopping = true;
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    await Promise.all([...this.#connections].map((connection) => connection.stop()));
    await closed;
  }

  #accept(socket: Socket): void {
    if (this.#isStopping) {
      socket.destroy();
      return;
    }
    const connection = new Connection(socket, this.#options, () => this.#connections.delete(connection));
    this.#connections.add(connection);
  }
}

/** One other process: its requests run side by side and end with it. */
class Connection {
  readonly #socket: Socket;
  readonly #options: SocketServerOptions;
  readonly #lines = new LineSplitter(REQUEST_BYTES_MAX);
  readonly #open = new Map<number, { readonly abort: AbortController; readonly isLong: boolean }>();
  #isStopping = false;
  #drained: Promise<void> | undefined;

  constructor(socket: Socket, options: SocketServerOptions, onClose: () => void) {
    this.#socket = socket;
    this.#options = options;
    socket.on("data", (chunk) => this.#receive(chunk));
    // A peer that is killed resets the connection; "close" follows.
    socket.on("error", () => {});
    socket.on("close", () => {
      for (const request of this.#open.values()) request.abort.abort();
      onClose();
    });
    const hello: Hello = { hello: { protocol: PROTOCOL_VERSION, version: options.version, pid: process.pid, drive: options.drive } };
    socket.write(`${JSON.stringify(hello)}\n`);
  }

  /** A peer that does not read (it is stopped, say) is cut off after the grace: it must not keep an owner from stopping. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    const giveUp = setTimeout(() => this.#socket.destroy(), this.#options.stopGraceMs ?? STOP_GRACE_MS);
    const closed = new Promise<void>((resolve) => {
      if (this.#socket.destroyed) resolve();
      else this.#socket.once("close", () => resolve());
    });
    for (const request of this.#open.values()) if (request.isLong) request.abort.abort();
    this.#socket.write(`${JSON.stringify({ bye: true } satisfies Bye)}\n`);
    // The client closes once it has all its answers.
    await closed;
    clearTimeout(giveUp);
  }

  #receive(chunk: Buffer): void {
    const lines = this.#lines.push(chunk);
    for (const line of lines ?? []) {
      const frame = parseClientFrame(line);
      if (frame === undefined) return void this.#socket.destroy();
      if ("cancel" in frame) this.#open.get(frame.id)?.abort.abort();
      else this.#begin(frame);
    }
    if (lines === undefined) this.#socket.destroy();
  }

  #begin(request: Request): void {
    const refusal = this.#refusal(request);
    if (refusal !== undefined) return void this.#send({ id: request.id, error: toWireError(refusal) });
    const abort = new AbortController();
    this.#open.set(request.id, { abort, isLong: isStreamCall(request.call) || request.call === "waitFor" });
    void this.#answer(request, abort.signal).finally(() => this.#open.delete(request.id));
  }

  #refusal(request: Request): AppError | undefined {
    if (this.#isStopping) return new AppError("stopping", "The process that owns the data directory is stopping.");
    if (this.#open.has(request.id)) return new AppError("usage", `Request ${request.id} is under way already.`);
    if (this.#open.size >= REQUESTS_MAX)
      return new AppError("limit-exceeded", `More than ${REQUESTS_MAX} requests are under way on this connection.`);
    if (!isUnaryCall(request.call) && !isStreamCall(request.call)) {
      return new AppError("usage", `The owner of the data directory does not know \`${request.call}\`.`, {
        hint: "Both processes must be of the same version of Tutti.",
      });
    }
    return undefined;
  }

  /** Never rejects: what fails goes to the peer. */
  async #answer(request: Request, signal: AbortSignal): Promise<void> {
    const { id, call } = request;
    const { service } = this.#options;
    try {
      if (typeof request.with["runId"] === "string" && (call === "drive" || call === "operate"))
        this.#options.onRunAsked(request.with["runId"]);
      if (isStreamCall(call)) {
        for await (const value of STREAM_CALLS[call](service, request.with, signal)) {
          if (signal.aborted) break;
          // The next value is asked for only when this one has left: a slow reader sees fewer states, not later ones.
          await this.#send({ id, next: value as unknown as Json });
        }
        await this.#send(
          this.#isStopping
            ? { id, error: toWireError(new AppError("stopping", "The process that owns the data directory is stopping.")) }
            : { id, done: true },
        );
      } else if (isUnaryCall(call)) {
        const result = await UNARY_CALLS[call](service, request.with, signal);
        if (call === "startRun" || call === "startPreviewed") this.#options.onRunAsked((result as { runId: string }).runId);
        await this.#send(result === undefined ? { id } : { id, result: result as unknown as Json });
      }
    } catch (error) {
      const told =
        signal.aborted && this.#isStopping ? new AppError("stopping", "The process that owns the data directory is stopping.") : error;
      if (!(told instanceof AppError) && !signal.aborted) this.#options.report(`The call ${call} failed`, told);
      await this.#send({ id, error: toWireError(told) });
    }
  }

  /** Resolves when the peer has room for more, or is gone. */
  #send(answer: Answer): Promise<void> {
    if (this.#socket.destroyed) return Promise.resolve();
    if (this.#socket.write(`${JSON.stringify(answer)}\n`)) return Promise.resolve();
    this.#drained ??= new Promise<void>((resolve) => {
      const done = (): void => {
        this.#socket.off("drain", done).off("close", done);
        this.#drained = undefined;
        resolve();
      };
      this.#socket.on("drain", done).on("close", done);
    });
    return this.#drained;
  }
}
