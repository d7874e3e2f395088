import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { join } from "node:path";
import { ENCODINGS } from "./encodings.ts";
import type { Hear } from "./hear.ts";

/** Where an excerpt of what a failing container complained about begins: a secret is laid across it. */
const EXCERPT_LENGTH = 2048;
/** What a container writes at a time when it writes in pieces. */
const PIECE_BYTES = 5;
/** Source: Docker Engine API, "Stream format" of the attach operation. */
const STREAM_TYPES = { stdout: 1, stderr: 2 } as const;

/** What the connector asks for, as far as it matters here. */
interface Plan {
  readonly Image: string;
  readonly Env: readonly string[];
  readonly Labels: Readonly<Record<string, string>>;
}

interface Container {
  readonly id: string;
  readonly name: string;
  readonly plan: Plan;
  /** The secrets in its environment. */
  readonly secrets: readonly string[];
}

/**
 * A Docker-compatible engine whose containers tell their environment and arguments on, as the engine itself does in its errors. What a container
 * does is said by its image: `canary/<mode>:1`.
 */
export class HostileEngine {
  readonly #hear: Hear;
  readonly #server: Server;
  readonly #socket: string;
  readonly #containers = new Map<string, Container>();
  #made = 0;

  /** `hear` finds the secrets in what was sent; the socket is made in `directory`. */
  constructor(directory: string, hear: Hear) {
    this.#hear = hear;
    this.#socket = join(directory, "engine.sock");
    this.#server = createServer((request, response) => void this.#answer(request, response));
  }

  /** @returns where it listens, as in DOCKER_HOST. */
  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(this.#socket, resolve));
    return `unix://${this.#socket}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<unknown> {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const url = new URL(request.url ?? "/", "http://engine");
    const [, kind = "", subject = "", verb = ""] = url.pathname.split("/");
    if (kind === "images") return this.#answerImage(url, response);
    if (subject === "json") return json(response, 200, this.#listed(url));
    if (subject === "create") return this.#create(url, Buffer.concat(chunks).toString("utf8"), response);
    const container = this.#containers.get(subject) ?? [...this.#containers.values()].find(({ name }) => name === subject);
    if (container === undefined) return json(response, 404, { message: `No such container: ${subject}` });
    const mode = modeOf(container);
    if (request.method === "DELETE") this.#containers.delete(container.id);
    switch (verb) {
      case "json":
        return json(response, 200, described(container));
      case "start":
        return mode === "refuse-start"
          ? json(response, 500, { message: `cannot start ${container.secrets.join(" ")}: ${JSON.stringify(container.plan)}` })
          : response.writeHead(204).end();
      case "wait":
        return json(response, 200, { StatusCode: exitCodeOf(container) });
      case "logs":
        return this.#tell(container, response);
      // The mark of what is stored is there for nobody.
      case "archive":
        return response.writeHead(request.method === "HEAD" ? 404 : 200).end();
      default:
        return response.writeHead(204).end();
    }
  }

  #listed(url: URL): unknown {
    // The connector filters by labels.
    const { label = [] } = JSON.parse(url.searchParams.get("filters") ?? "{}") as { readonly label?: readonly string[] };
    const fits = ({ plan }: Container): boolean =>
      label.every((wanted) => Object.entries(plan.Labels).some(([name, value]) => wanted === `${name}=${value}`));
    return [...this.#containers.values()].filter(fits).map(({ id }) => ({ Id: id }));
  }

  #create(url: URL, body: string, response: ServerResponse): unknown {
    this.#made += 1;
    const container: Container = {
      id: this.#made.toString(16).padStart(64, "0"),
      name: url.searchParams.get("name") ?? "",
      // The connector sends this form.
      plan: JSON.parse(body) as Plan,
      secrets: this.#hear(body),
    };
    if (modeOf(container) === "refuse-create") return json(response, 400, { message: `${container.secrets.join(" ")} in ${body}` });
    this.#containers.set(container.id, container);
    return json(response, 201, { Id: container.id, Warnings: container.secrets });
  }

  #answerImage(url: URL, response: ServerResponse): unknown {
    if (url.pathname.startsWith("/images/canary/missing")) return json(response, 404, { message: "no such image" });
    if (url.pathname !== "/images/create") return json(response, 200, {});
    // Of the containers before: an image is pulled before anything of its container is sent.
    const heard = [...this.#containers.values()].flatMap(({ secrets }) => secrets);
    const lines = [{ status: `pulling for ${heard.join(" ")}` }, { error: `denied: ${heard.join(" ")}` }];
    return response.writeHead(200, { "content-type": "application/json" }).end(lines.map((line) => `${JSON.stringify(line)}\r\n`).join(""));
  }

  #tell({ plan, secrets, name }: Container, response: ServerResponse): void {
    response.writeHead(200, { "content-type": "application/vnd.docker.raw-stream" });
    if (modeOf({ plan }) === "cut") {
      const [secret = ""] = secrets;
      response.end(framed("stderr", `${secret}${"z".repeat(EXCERPT_LENGTH - Math.ceil(secret.length * 0.3))}`));
      return;
    }
    response.write(framed("stderr", `${name} has ${JSON.stringify(plan)}\n`));
    for (const encode of Object.values(ENCODINGS)) response.write(framed("stdout", `${secrets.map(encode).join(" ")}\n`));
    // A frame ends wherever the program's write did, within a character, too.
    const bytes = Buffer.from(secrets.join(" "));
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) response.write(framed("stdout", bytes.subarray(at, at + PIECE_BYTES)));
    response.end(framed("stdout", "\n"));
  }
}

function modeOf({ plan }: Pick<Container, "plan">): string {
  return /^canary\/([\w-]+):/.exec(plan.Image)?.[1] ?? "";
}

function exitCodeOf(container: Container): number {
  return ["fail", "cut"].includes(modeOf(container)) ? 3 : 0;
}

function described(container: Container): unknown {
  const { id, name, plan } = container;
  const times = { Created: "2026-01-01T00:00:00Z" };
  const state = { Status: "exited", ExitCode: exitCodeOf(container), FinishedAt: "2026-01-01T00:00:01Z", OOMKilled: false };
  return { Id: id, Name: `/${name}`, ...times, State: state, Config: { Env: plan.Env, Labels: plan.Labels } };
}

function framed(stream: keyof typeof STREAM_TYPES, content: string | Buffer): Buffer {
  const body = Buffer.from(content);
  const head = Buffer.alloc(8);
  head[0] = STREAM_TYPES[stream];
  head.writeUInt32BE(body.length, 4);
  return Buffer.concat([head, body]);
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}
