import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { gzipSync } from "node:zlib";
import { type ExchangeLimits, type HttpClient, httpClient, httpConnector } from "@tutti/connector-http";
import { attemptForTests, Network } from "@tutti/connector-kit";
import type { Json } from "@tutti/model";
import type { Random } from "@tutti/testkit";
import { bytesOfText, cutsOf, mutateBytes, piecesOf } from "../generate/text.ts";
import { endOf, judgeEnd } from "../http-result.ts";
import { broken, type OpenTarget, type Target, type Verdict } from "../target.ts";

interface Input {
  readonly [key: string]: Json;
  /** What comes over the connection, one character a byte. */
  readonly bytes: string;
  readonly cuts: readonly number[];
  /** What the server does then. */
  readonly ending: string;
  /** The content, when nothing was changed and the answer is right. */
  readonly content: string | null;
}

const WORDS = [
  "\r\n",
  "\n",
  "HTTP/1.1 ",
  "200",
  "Content-Length: ",
  "Transfer-Encoding: chunked",
  "\r\n\r\n",
  ":",
  "0\r\n\r\n",
  "ffffffff\r\n",
  "-1",
  "Content-Encoding: gzip",
  "\u0000",
  "HTTP/1.1 100 Continue\r\n\r\n",
  " chunked, identity",
];
const BODY_BYTES_MAX = 4_000;
/** A server that says nothing more is waited for this long here. */
const IDLE_MS = 100;
/** From then on a call has taken too long: many times what its limits allow, since the machine may be busy. */
const CALL_MS_MAX = 50_000;
/** Most of a call is waiting for the other side of the connection. */
const CONCURRENCY = 16;

export const httpSocket: Target<Input> = {
  name: "http-socket",
  law: "whatever a server writes to the connection, and however it ends it, becomes an output or a documented error within its time; what is right is read as it is",
  control: "the length of the content is one byte short",
  // A connection costs twenty times what reading its answer does; what is read is judged by `http-answer` for every input.
  share: 0.05,
  make,
  open: async (isSabotaged) => open(isSabotaged),
};

function make(random: Random): Input {
  const content = random.pick(["hello", "", "x".repeat(100), '{"a":1}']);
  const framing = random.pick(["length", "length", "chunked", "close", "gzip"]);
  const head = ["HTTP/1.1 200 OK", "Content-Type: text/plain"];
  let body = content;
  if (framing === "length") head.push(`Content-Length: ${body.length}`);
  if (framing === "gzip") {
    body = gzipSync(content).toString("latin1");
    head.push("Content-Encoding: gzip", `Content-Length: ${body.length}`);
  }
  if (framing === "chunked") {
    head.push("Transfer-Encoding: chunked");
    body = `${content === "" ? "" : `${content.length.toString(16)}\r\n${content}\r\n`}0\r\n\r\n`;
  }
  const bytes = `${head.join("\r\n")}\r\nConnection: close\r\n\r\n${body}`;
  const isRight = random.chance(0.3);
  const sent = isRight ? bytes : random.chance(0.1) ? "y".repeat(random.integer(0, 2 * BODY_BYTES_MAX)) : mutateBytes(bytes, random, WORDS);
  const ending = isRight || random.chance(0.9) ? "end" : random.pick(["reset", "reset", "reset", "silence"]);
  return { bytes: sent, cuts: cutsOf(random, sent.length, 3), ending, content: isRight ? content : null };
}

async function open(isSabotaged: boolean): Promise<OpenTarget<Input>> {
  const waiting = new Map<string, Input>();
  const served = new Set<string>();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {});
    socket.once("data", (request) => {
      const path = /^GET (\S+) /.exec(request.toString("latin1"))?.[1] ?? "";
      const input = waiting.get(path);
      served.add(path);
      if (input !== undefined) void answer(socket, input, isSabotaged);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  // The server is this process's own and listens on an address only.
  const { port } = server.address() as AddressInfo;
  const network = new Network();
  const limits = { headTimeoutMs: IDLE_MS * 50, idleTimeoutMs: IDLE_MS * 50, totalTimeoutMs: IDLE_MS * 100, bodyBytesMax: BODY_BYTES_MAX };
  const patient = httpConnector({ client: clientOf(network, limits) }).functions["http"];
  const hasty = httpConnector({ client: clientOf(network, { ...limits, headTimeoutMs: IDLE_MS, idleTimeoutMs: IDLE_MS }) }).functions[
    "http"
  ];
  let number = 0;
  return {
    concurrency: CONCURRENCY,
    check: async (input): Promise<Verdict> => {
      const path = `/${(number += 1)}`;
      waiting.set(path, input);
      const connector = input.ending === "silence" ? hasty : patient;
      const startedAt = performance.now();
      const call = connector?.run({ method: "get", endpoint: `http://127.0.0.1:${port}${path}` }, attemptForTests());
      if (call === undefined) return broken("no function", "http");
      const end = await endOf(call);
      waiting.delete(path);
      const wasServed = served.delete(path);
      if (performance.now() - startedAt > CALL_MS_MAX) return broken("late", `${Math.round(performance.now() - startedAt)} ms`);
      const verdict = judgeEnd(end);
      if (verdict !== undefined || input.content === null) return verdict;
      const expected = input.content === "" ? null : input.content;
      if ("output" in end) return end.output === expected ? undefined : broken("other content", JSON.stringify(end.output));
      // On a busy machine a right answer may come late; and a request may meet a connection that an answer before it left half closed.
      return end.error.errorKind === "timeout" || !wasServed ? undefined : broken("an error for a right answer", end.error.message);
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function clientOf(network: Network, limits: ExchangeLimits): HttpClient {
  return httpClient({ network, limits });
}

async function answer(socket: Socket, { bytes, cuts, ending }: Input, isSabotaged: boolean): Promise<void> {
  const sent = isSabotaged
    ? bytes.replace(/Content-Length: (\d+)/, (_, length: string) => `Content-Length: ${Math.max(0, Number(length) - 1)}`)
    : bytes;
  for (const piece of piecesOf(sent, cuts)) {
    socket.write(bytesOfText(piece));
    await new Promise((resolve) => setImmediate(resolve));
  }
  if (ending === "end") socket.end();
  if (ending === "reset") socket.resetAndDestroy();
}
