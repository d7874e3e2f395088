import { spawn } from "node:child_process";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { mkdtempSync, rmSync } from "node:fs";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Json, JsonObject } from "@tutti/model";

/** What an image of the stand-in engine does when a container of it runs. */
export interface StandInImage {
  readonly stdout?: string | undefined;
  readonly stderr?: string | undefined;
  readonly code?: number | undefined;
  /** Runs the container's own command with the shell of this machine. */
  readonly shell?: true | undefined;
  /** Not there at first: it has to be pulled. */
  readonly remote?: true | undefined;
}

interface Container {
  readonly id: string;
  readonly name: string;
  readonly plan: JsonObject;
  readonly createdAt: string;
  status: "created" | "running" | "exited";
  finishedAt: string;
  code: number;
  isDone: boolean;
  /** All of its standard input. */
  readonly input: PromiseWithResolvers<string>;
  readonly output: { readonly stream: 1 | 2; readonly text: string }[];
  readonly ended: PromiseWithResolvers<void>;
}

const FRAME_HEADER_BYTES = 8;

/**
 * The part of Docker's HTTP API that `run.container` uses, on a Unix socket: real requests, upgrades and framed logs, and no containers.
 * The real one is tried by `tests/container`. Source: Docker Engine API 1.43.
 */
export class StandInEngine {
  readonly #images: Readonly<Record<string, StandInImage>>;
  readonly #pulled = new Set<string>();
  readonly #containers = new Map<string, Container>();
  readonly #folder = mkdtempSync(join(tmpdir(), "tutti-engine-"));
  readonly #server: Server;
  /** Counted from the start: containers that were made, images that were pulled. */
  made = 0;
  pulls = 0;

  constructor(images: Readonly<Record<string, StandInImage>>) {
    this.#images = images;
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => response.writeHead(500).end(JSON.stringify({ message: String(error) })));
    });
    this.#server.on("upgrade", (request: IncomingMessage, socket: Socket) => this.#attach(request, socket));
  }

  get socketPath(): string {
    return join(this.#folder, "docker.sock");
  }

  /** Names of the containers that are there now. */
  get left(): readonly string[] {
    return [...this.#containers.values()].map((one) => one.name);
  }

  start(): Promise<void> {
    return new Promise((resolve) => this.#server.listen(this.socketPath, resolve));
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://engine");
    const body = await bodyOf(request);
    const send = (status: number, value: Json = null): void =>
      void response.writeHead(status).end(value === null ? "" : JSON.stringify(value));
    const [, area = "", ...rest] = url.pathname.split("/").map(decodeURIComponent);
    if (area === "images") return this.#image(rest, url, send);
    if (area !== "containers") return send(404, { message: "page not found" });
    const [name = "", verb = ""] = rest;
    if (name === "json") return send(200, this.#list(url));
    if (name === "create") return this.#create(url, body, send);
    const container = this.#containers.get(name) ?? [...this.#containers.values()].find((one) => one.name === name);
    if (container === undefined) return send(404, { message: `No such container: ${name}` });
    switch (`${request.method} ${verb}`) {
      case "GET json":
        return send(200, describe(container));
      case "POST start":
        if (container.status === "created") {
          container.status = "running";
          void container.input.promise.then((stdin) => this.#run(container, stdin));
        }
        return send(204);
      case "POST stop":
        return send(container.status === "running" ? 204 : 304);
      case "POST wait":
        await container.ended.promise;
        return send(200, { StatusCode: container.code });
      case "GET logs":
        if (url.searchParams.get("follow") === "1") await container.ended.promise;
        return void response.writeHead(200).end(Buffer.concat(container.output.map(frameOf)));
      case "PUT archive":
        container.isDone = true;
        return send(200);
      case "HEAD archive":
        return send(container.isDone ? 200 : 404);
      case "DELETE ":
        this.#containers.delete(container.id);
        return send(204);
      default:
        return send(404, { message: "page not found" });
    }
  }

  #image(rest: readonly string[], url: URL, send: (status: number, value?: Json) => void): void {
    const image = rest[0] === "create" ? (url.searchParams.get("fromImage") ?? "") : rest.slice(0, -1).join("/");
    const known = this.#images[image];
    if (known === undefined) return send(404, { message: `No such image: ${image}` });
    if (rest[0] === "create") {
      this.#pulled.add(image);
      this.pulls += 1;
      return send(200, { status: `Downloaded newer image for ${image}` });
    }
    return known.remote === true && !this.#pulled.has(image) ? send(404, { message: `No such image: ${image}` }) : send(200, { Id: image });
  }

  #create(url: URL, body: Buffer, send: (status: number, value?: Json) => void): void {
    const name = url.searchParams.get("name") ?? "";
    if ([...this.#containers.values()].some((one) => one.name === name)) return send(409, { message: `${name} is in use` });
    this.made += 1;
    const id = String(this.made).padStart(64, "0");
    // What `containerPlan` has written.
    const plan = JSON.parse(body.toString()) as JsonObject;
    const createdAt = new Date(this.made).toISOString();
    const input = Promise.withResolvers<string>();
    if (plan["OpenStdin"] !== true) input.resolve("");
    const state = { status: "created", finishedAt: "0001-01-01T00:00:00Z", code: 0, isDone: false } as const;
    this.#containers.set(id, { id, name, plan, createdAt, ...state, input, output: [], ended: Promise.withResolvers<void>() });
    send(201, { Id: id, Warnings: [] });
  }

  #list(url: URL): Json {
    // What `Containers.labelled` asks.
    const filters = JSON.parse(url.searchParams.get("filters") ?? "{}") as {
      readonly label?: readonly string[];
      readonly status?: readonly string[];
    };
    const wanted = (filters.label ?? []).map((label) => label.split("=", 2) as [string, string]);
    return [...this.#containers.values()]
      .filter(({ plan }) => wanted.every(([key, value]) => (plan["Labels"] as JsonObject)[key] === value))
      .filter(({ status }) => filters.status?.includes(status) ?? true)
      .map(({ id }) => ({ Id: id }));
  }

  #run(container: Container, stdin: string): void {
    const { plan, output } = container;
    // What `containerPlan` has written, here and below.
    const { stdout = "", stderr = "", code = 0, shell } = this.#images[plan["Image"] as string] ?? {};
    if (shell !== true) {
      output.push({ stream: 1, text: stdout }, { stream: 2, text: stderr });
      return end(container, code);
    }
    const { Entrypoint: [program = "", ...before] = [], Cmd: words = [] } = plan as Partial<Record<"Entrypoint" | "Cmd", string[]>>;
    const child = spawn(program, [...before, ...words], { stdio: "pipe", env: {} });
    child.stdout.on("data", (chunk: Buffer) => output.push({ stream: 1, text: chunk.toString() }));
    child.stderr.on("data", (chunk: Buffer) => output.push({ stream: 2, text: chunk.toString() }));
    // A command that does not read its input closes it.
    child.stdin.on("error", () => undefined);
    child.stdin.end(stdin);
    child.once("error", () => end(container, 127));
    child.once("close", (exitCode) => end(container, exitCode ?? 1));
  }

  /** The upgrade after which the connection is the container's standard input. */
  #attach(request: IncomingMessage, socket: Socket): void {
    const container = this.#containers.get((request.url ?? "").split("/")[2] ?? "");
    if (container === undefined) return void socket.end("HTTP/1.1 404 Not Found\r\n\r\n");
    socket.write("HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n");
    const chunks: Buffer[] = [];
    // A caller that dies closes it in mid-input; nobody waits for that container any more.
    socket.on("error", () => undefined);
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("end", () => {
      container.input.resolve(Buffer.concat(chunks).toString());
      socket.end();
    });
  }
}

function end(container: Container, code: number): void {
  container.status = "exited";
  container.code = code;
  container.finishedAt = new Date().toISOString();
  container.ended.resolve();
}

function describe({ id, name, plan, createdAt, status, finishedAt, code }: Container): Json {
  return {
    Id: id,
    Name: `/${name}`,
    Created: createdAt,
    State: { Status: status, ExitCode: code, FinishedAt: finishedAt, OOMKilled: false },
    Config: { Labels: plan["Labels"] ?? {} },
  };
}

function frameOf({ stream, text }: { readonly stream: 1 | 2; readonly text: string }): Buffer {
  const payload = Buffer.from(text);
  const header = Buffer.alloc(FRAME_HEADER_BYTES);
  header[0] = stream;
  header.writeUInt32BE(payload.length, 4);
  return Buffer.concat([header, payload]);
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}
