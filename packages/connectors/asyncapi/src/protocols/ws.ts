import { buildHeaders, describeNetworkFailure } from "@tutti/connector-http";
import { WebSocket } from "ws";
import { DeliveryQueue } from "../delivery-queue.ts";
import { inbound, MESSAGE_BYTES_MAX } from "../message.ts";
import { type Delivery, type Exchange, failure, lost, notConnected, placeOf, type Protocol, type Source, within } from "../protocol.ts";
import { authorize } from "./http.ts";

/** Normal closure, going away, and no status: the other side had no more to say. */
const ORDERLY_CODES = new Set([1000, 1001, 1005]);

/** WebSocket: a message is one frame of text, or of bytes when it is no text. Headers are the handshake's, since frames have none. */
export const wsProtocol: Protocol = {
  async publish(exchange, message) {
    const { target, attempt, limits } = exchange;
    const socket = await open(exchange, message.headers);
    try {
      const sent = new Promise<void>((resolve, reject) => {
        socket.once("error", (error) => reject(lost(target, error)));
        socket.once("close", (code) => {
          // The answer to our closing frame: everything before it has been read by the other side.
          if (ORDERLY_CODES.has(code)) resolve();
          else reject(lost(target, new Error(`closed with code ${code}`)));
        });
        socket.send(message.body, { binary: false }, (error) => {
          if (error === undefined || error === null) socket.close(1000);
          else reject(lost(target, error));
        });
      });
      await within(sent, limits.acknowledgeMs, attempt, (why) => lost(target, new Error(why)));
      return {};
    } finally {
      socket.terminate();
    }
  },

  async subscribe(exchange): Promise<Source> {
    const queue = new DeliveryQueue<Delivery>();
    const { target } = exchange;
    const socket = await open(exchange, {}, (opened) => {
      opened.on("message", (data, isBinary) => {
        const bytes = Buffer.isBuffer(data) ? data : Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
        queue.push({ message: inbound(bytes, isBinary ? "application/octet-stream" : undefined, {}), bytes: bytes.length });
      });
      opened.on("error", (error) => queue.fail(lost(target, error)));
      opened.on("close", (code) =>
        ORDERLY_CODES.has(code) ? queue.end() : queue.fail(lost(target, new Error(`closed with code ${code}`))),
      );
    });
    return {
      deliveries: queue,
      close: async () => {
        queue.end();
        socket.close(1000);
        // A side that does not answer the closing frame is not waited for.
        socket.terminate();
      },
    };
  },
};

/** Connects; `listen` is called before anything can arrive. */
async function open(exchange: Exchange, given: Readonly<Record<string, string>>, listen?: (socket: WebSocket) => void): Promise<WebSocket> {
  const { target, attempt, limits } = exchange;
  const headers = buildHeaders(given);
  await authorize(exchange, headers);
  const { host, port, path, address, isSecure } = target;
  const url = `${isSecure ? "wss" : "ws"}://${host}${port === 0 ? "" : `:${port}`}${path}/${address.replace(/^\/+/, "")}`;
  const { network } = exchange.http;
  try {
    network.checkHost(host);
  } catch (error) {
    throw describeNetworkFailure(error, placeOf(target));
  }
  const socket = new WebSocket(url, {
    lookup: network.lookup,
    ...(network.certificateAuthorities === undefined ? {} : { ca: [...network.certificateAuthorities] }),
    rejectUnauthorized: true,
    headers: Object.fromEntries(headers),
    handshakeTimeout: limits.connectMs,
    maxPayload: MESSAGE_BYTES_MAX,
    followRedirects: false,
    perMessageDeflate: false,
  });
  listen?.(socket);
  const opened = new Promise<void>((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("error", (error) => reject(describeNetworkFailure(error, placeOf(target))));
    socket.once("unexpected-response", (request, response) => {
      response.resume();
      request.destroy();
      const status = response.statusCode ?? 0;
      const kind = status === 401 ? "authentication" : status === 403 ? "authorization" : "communication";
      reject(
        failure(`${placeOf(target)} answered ${status} and opened no WebSocket.`, {
          kind,
          outcome: "never-began",
          status,
          retryable: status >= 500,
        }),
      );
    });
  });
  try {
    await within(opened, limits.connectMs, attempt, (why) => notConnected(target, new Error(why)));
    return socket;
  } catch (error) {
    socket.on("error", () => {});
    socket.terminate();
    throw error;
  }
}
