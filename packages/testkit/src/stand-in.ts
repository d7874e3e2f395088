import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Json } from "@tutti/model";
import { petstoreDocument, PETS } from "./stand-in-petstore.ts";

/** A request as the stand-in saw it. */
export interface StandInRequest {
  readonly method: string;
  /** The public host that the caller meant. */
  readonly host: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface StandInReply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON, unless `text` is given. */
  readonly json?: Json;
  readonly text?: string;
}

type Route = (request: StandInRequest, url: URL) => StandInReply | undefined;

/** A local server in place of public hosts. */
export interface StandIn {
  /** `http://127.0.0.1:PORT`, for tests that want to reach it directly. */
  readonly origin: string;
  /** Like the global fetch, but every host leads to this server; the host meant travels in a header. */
  readonly fetch: (url: string | URL, init?: RequestInit) => Promise<Response>;
  readonly requests: readonly StandInRequest[];
  /** Adds a route, asked before all others; undefined passes the request on. */
  route(route: Route): void;
  stop(): Promise<void>;
}

const HOST_HEADER = "x-stand-in-host";
/** A request to the stand-in is a test's: small. */
const BODY_BYTES_MAX = 1024 * 1024;

/**
 * Starts a server that answers for `petstore.swagger.io` and `httpbin.org` as far as the specification's conformance kit asks them. An unknown
 * host or path is a 404 that says so, so that a scenario can't pass by luck.
 */
export async function startStandIn(): Promise<StandIn> {
  const requests: StandInRequest[] = [];
  const routes: Route[] = [petstore, httpbin];
  const server = createServer((message, response) => {
    // A caller that hangs up in mid-request is part of some tests and no failure of the stand-in.
    answer(message, response, requests, routes).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  // A TCP server's address is an object once it listens.
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    origin,
    requests,
    fetch: (url, init) => {
      const meant = new URL(url);
      const headers = new Headers(init?.headers);
      headers.set(HOST_HEADER, meant.host);
      return fetch(`${origin}${meant.pathname}${meant.search}`, { ...init, headers });
    },
    route: (route) => void routes.unshift(route),
    stop: () => stop(server),
  };
}

function stop(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.close((error) => (error === undefined ? resolve() : reject(error)));
    server.closeAllConnections();
  });
}

async function answer(
  message: IncomingMessage,
  response: ServerResponse,
  requests: StandInRequest[],
  routes: readonly Route[],
): Promise<void> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of message as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > BODY_BYTES_MAX) return void message.destroy();
    chunks.push(chunk);
  }
  const headers = Object.fromEntries(Object.entries(message.headers).map(([name, value]) => [name, String(value)]));
  const { [HOST_HEADER]: host = message.headers.host ?? "", ...seen } = headers;
  const request = {
    method: message.method ?? "GET",
    host,
    path: message.url ?? "/",
    headers: seen,
    body: Buffer.concat(chunks).toString(),
  };
  requests.push(request);
  const url = new URL(request.path, `http://${host}`);
  let reply: StandInReply | undefined;
  for (const route of routes) reply ??= route(request, url);
  reply ??= { status: 404, json: { message: `The stand-in knows no ${request.method} ${host}${request.path}.` } };
  const type = reply.text === undefined ? "application/json" : "text/plain";
  response.writeHead(reply.status ?? 200, { "content-type": type, ...reply.headers });
  response.end(reply.text ?? JSON.stringify(reply.json ?? null));
}

function petstore(request: StandInRequest, url: URL): StandInReply | undefined {
  if (url.host !== "petstore.swagger.io" || request.method !== "GET") return undefined;
  if (url.pathname === "/v2/swagger.json") return { json: petstoreDocument() };
  if (url.pathname === "/v2/pet/findByStatus") {
    const wanted = url.searchParams.getAll("status").flatMap((list) => list.split(","));
    return { json: PETS.filter((pet) => wanted.includes(pet.status)) };
  }
  const id = /^\/v2\/pet\/(\d+)$/.exec(url.pathname)?.[1];
  const pet = id === undefined ? undefined : PETS.find((candidate) => candidate.id === Number(id));
  if (pet !== undefined) return { json: pet };
  return { status: 404, json: { code: 1, type: "error", message: "Pet not found" } };
}

function httpbin(request: StandInRequest, url: URL): StandInReply | undefined {
  const [, route, username, password] = url.pathname.split("/").map(decodeURIComponent);
  if (url.host !== "httpbin.org" || request.method !== "GET" || route !== "basic-auth") return undefined;
  const expected = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
  if (request.headers["authorization"] === expected) return { json: { authenticated: true, user: username ?? "" } };
  return { status: 401, headers: { "www-authenticate": 'Basic realm="Fake Realm"' }, text: "" };
}
