import { connect, type Socket } from "node:net";
import { AppError, type Json, type JsonObject } from "@tutti/model";
import { LineSplitter } from "./line-splitter.ts";
import {
  type Answer,
  ANSWER_BYTES_MAX,
  fromWireError,
  HELLO_TIMEOUT_MS,
  type Hello,
  parseOwnerFrame,
  PROTOCOL_VERSION,
} from "./protocol.ts";
import type { StreamCall, UnaryCall } from "./service-calls.ts";

/** The connection broke before the answer came: whether the call was carried out is not known here. */
export class ConnectionLost extends Error {
  constructor() {
    super("The connection to the owner of the data directory was lost.");
    this.name = "ConnectionLost";
  }
}

interface Waiting {
  answer(answer: Answer): void;
  lost(): void;
}

/** A connection to the process that owns the data directory. */
export class SocketClient {
  readonly hello: Hello["hello"];
  readonly #socket: Socket;
  readonly #lines: LineSplitter;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;
  #isLost = false;
  /** The owner is stopping: what was asked is answered, nothing more is asked. */
  #isLeaving = false;

  private constructor(socket: Socket, hello: Hello["hello"], lines: LineSplitter) {
    this.#socket = socket;
    this.hello = hello;
    this.#lines = lines;
    socket.on("data", (chunk) => {
      const lines = this.#lines.push(chunk);
      if (lines === undefined) return void socket.destroy();
      for (const line of lines) this.#receive(line);
    });
    socket.on("close", () => this.#lose());
  }

  /**
   * Connects to the owner's socket.
   *
   * @returns undefined when nobody listens there (no file, or one that a killed owner left behind).
   * @throws AppError `owner-unreachable` when somebody listens and does not say hello in time, or speaks another protocol.
   */
  static async connect(path: string, timeoutMs: number = HELLO_TIMEOUT_MS): Promise<SocketClient | undefined> {
    const socket = connect(path);
    const lines = new LineSplitter(ANSWER_BYTES_MAX);
    const hello = await new Promise<Hello["hello"] | undefined>((resolve, reject) => {
      const giveUp = setTimeout(() => {
        socket.destroy();
        reject(unreachable(path, `does not answer within ${timeoutMs / 1000} s`));
      }, timeoutMs);
      socket.on("error", () => {});
      socket.once("close", () => {
        clearTimeout(giveUp);
        resolve(undefined);
      });
      socket.on("data", (chunk) => {
        // Nothing but the hello comes before the first request.
        const [line] = lines.push(chunk) ?? [];
        if (line === undefined) return;
        clearTimeout(giveUp);
        const frame = parseOwnerFrame(line);
        if (frame !== undefined && "hello" in frame && frame.hello.protocol === PROTOCOL_VERSION) return resolve(frame.hello);
        socket.destroy();
        reject(unreachable(path, "speaks another version of the protocol"));
      });
    });
    if (hello === undefined) return undefined;
    socket.removeAllListeners("data").removeAllListeners("close");
    return new SocketClient(socket, hello, lines);
  }

  get isLost(): boolean {
    return this.#isLost;
  }

  /** @throws ConnectionLost; whatever the owner reported; the signal's reason. */
  call(call: UnaryCall, given: object, signal?: AbortSignal): Promise<Json | undefined> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return void reject(signal.reason as Error);
      if (this.#isLost) return void reject(new ConnectionLost());
      if (this.#isLeaving) return void reject(ownerStopping());
      const id = this.#nextId++;
      const onAbort = (): void => {
        this.#waiting.delete(id);
        this.#send({ id, cancel: true });
        reject(signal?.reason as Error);
      };
      const end = (): void => {
        this.#waiting.delete(id);
        signal?.removeEventListener("abort", onAbort);
      };
      this.#waiting.set(id, {
        answer: (answer) => {
          end();
          if ("error" in answer) reject(fromWireError(answer.error));
          else resolve("result" in answer ? answer.result : undefined);
        },
        lost: () => {
          end();
          reject(new ConnectionLost());
        },
      });
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#send({ id, call, with: given as JsonObject });
    });
  }

  /** Values as they come; ends with the stream or the signal. @throws ConnectionLost; whatever the owner reported. */
  async *stream(call: StreamCall, given: object, signal: AbortSignal): AsyncGenerator<Json, void> {
    if (signal.aborted) return;
    if (this.#isLost) throw new ConnectionLost();
    if (this.#isLeaving) throw ownerStopping();
    const id = this.#nextId++;
    const arrived: (Answer | "lost")[] = [];
    let wake = (): void => {};
    const push = (answer: Answer | "lost"): void => {
      arrived.push(answer);
      wake();
    };
    const onAbort = (): void => wake();
    this.#waiting.set(id, { answer: push, lost: () => push("lost") });
    signal.addEventListener("abort", onAbort, { once: true });
    this.#send({ id, call, with: given as JsonObject });
    try {
      while (!signal.aborted) {
        const answer = arrived.shift();
        if (answer === undefined) {
          await new Promise<void>((resolve) => (wake = resolve));
          continue;
        }
        if (answer === "lost") throw new ConnectionLost();
        if ("error" in answer) throw fromWireError(answer.error);
        if (!("next" in answer)) return;
        yield answer.next;
      }
    } finally {
      signal.removeEventListener("abort", onAbort);
      if (this.#waiting.delete(id)) this.#send({ id, cancel: true });
    }
  }

  close(): void {
    this.#socket.destroySoon();
    this.#lose();
  }

  #send(frame: object): void {
    if (!this.#socket.destroyed) this.#socket.write(`${JSON.stringify(frame)}\n`);
  }

  #receive(line: string): void {
    const frame = parseOwnerFrame(line);
    if (frame !== undefined && "bye" in frame) this.#isLeaving = true;
    else if (frame !== undefined && "id" in frame) {
      const waiting = this.#waiting.get(frame.id);
      if (!("next" in frame)) this.#waiting.delete(frame.id);
      waiting?.answer(frame);
    } else return void this.#socket.destroy();
    if (this.#isLeaving && this.#waiting.size === 0) this.#socket.end();
  }

  #lose(): void {
    if (this.#isLost) return;
    this.#isLost = true;
    const open = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const waiting of open) waiting.lost();
  }
}

function unreachable(path: string, what: string): AppError {
  return new AppError("owner-unreachable", `The process that owns the data directory ${what} (socket ${path}).`, {
    details: { socket: path },
    hint: "Look for a stopped or hanging `tutti` process; when it is gone, this command works again by itself.",
  });
}

function ownerStopping(): AppError {
  return new AppError("stopping", "The process that owns the data directory is stopping.");
}
