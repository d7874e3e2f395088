import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { AppError } from "@tutti/model";
import { messageOf } from "../data-directory.ts";
import { EXPOSITION_TYPE } from "./exposition.ts";
import type { ListenAddress } from "./listen-address.ts";

/** Scrapers at a time; more is somebody who does not let go. */
const CONNECTIONS_MAX = 16;
/** A scraper sends a few lines at once. */
const REQUEST_TIMEOUT_MS = 5000;
const HEADER_BYTES_MAX = 8192;

/** Answers `GET /metrics`, and nothing else. */
export class MetricsServer {
  readonly #server: Server;
  readonly #collect: () => Promise<string>;
  readonly #address: ListenAddress;
  readonly #report: (message: string, cause: unknown) => void;
  /** One reading for all who ask meanwhile. */
  #collecting: Promise<string> | undefined;

  constructor(options: {
    readonly address: ListenAddress;
    readonly collect: () => Promise<string>;
    readonly report: (message: string, cause: unknown) => void;
  }) {
    this.#address = options.address;
    this.#collect = options.collect;
    this.#report = options.report;
    this.#server = createServer(
      { maxHeaderSize: HEADER_BYTES_MAX, headersTimeout: REQUEST_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS },
      (request, response) => void this.#answer(request, response),
    );
    this.#server.maxConnections = CONNECTIONS_MAX;
  }

  /** @returns the address it listens on. @throws AppError `address-unusable`. */
  async start(): Promise<ListenAddress> {
    const { host, port } = this.#address;
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", (cause) =>
        reject(
          new AppError("address-unusable", `Metrics can't be served on ${host}:${port}: ${messageOf(cause)}.`, {
            cause,
            details: { host, port },
          }),
        ),
      );
      this.#server.listen(port, host, resolve);
    });
    this.#server.on("error", (error) => this.#report("The metrics server failed", error));
    const bound = this.#server.address();
    return typeof bound === "object" && bound !== null ? { host: bound.address, port: bound.port } : this.#address;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => void this.#server.close(() => resolve()));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? "/").split("?")[0];
    if (path !== "/metrics") return end(response, 404, "Metrics are at /metrics.\n");
    if (request.method !== "GET" && request.method !== "HEAD") {
      response.setHeader("allow", "GET, HEAD");
      return end(response, 405, "Metrics are only read.\n");
    }
    try {
      this.#collecting ??= this.#collect().finally(() => (this.#collecting = undefined));
      const text = await this.#collecting;
      response.setHeader("content-type", EXPOSITION_TYPE);
      end(response, 200, request.method === "HEAD" ? "" : text);
    } catch (error) {
      this.#report("Metrics could not be read", error);
      end(response, 503, "Metrics can't be read now.\n");
    }
  }
}

function end(response: ServerResponse, status: number, text: string): void {
  if (!response.hasHeader("content-type")) response.setHeader("content-type", "text/plain; charset=utf-8");
  response.statusCode = status;
  response.end(text);
}
