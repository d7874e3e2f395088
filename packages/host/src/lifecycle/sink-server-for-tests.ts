import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { CloudEvent } from "@tutti/model";

/** An event as it arrived. */
export interface Told {
  readonly event: CloudEvent;
  readonly headers: IncomingHttpHeaders;
  readonly status: number;
}

/** A sink on loopback that answers as the test says: a status, with a pause it asks for, or nothing at all. */
export class SinkServer {
  readonly told: Told[] = [];
  /** Decides by the event and how many came before. */
  answer: (event: CloudEvent, before: number) => number | "silence" = () => 204;
  readonly #arrivals = new EventTarget();
  readonly #server: Server;

  constructor() {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("error", () => {});
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const event = JSON.parse(Buffer.concat(chunks).toString("utf8")) as CloudEvent;
        const status = this.answer(event, this.told.length);
        this.told.push({ event, headers: request.headers, status: status === "silence" ? 0 : status });
        if (status !== "silence") response.writeHead(status, status === 503 ? { "retry-after": "0" } : {}).end();
        this.#arrivals.dispatchEvent(new Event("arrived"));
      });
    });
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    const address = this.#server.address();
    return `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}/events`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** What was answered with success, in the order in which it came; of what came more than once the first. */
  get taken(): readonly CloudEvent[] {
    const first = new Map<string, CloudEvent>();
    for (const { event, status } of this.told) if (status >= 200 && status < 300 && !first.has(event.id)) first.set(event.id, event);
    return [...first.values()];
  }

  /** Resolves when `holds`; rejects after `waitMs`. */
  async until(holds: () => boolean, waitMs: number): Promise<void> {
    const limit = AbortSignal.timeout(waitMs);
    while (!holds()) {
      await new Promise<void>((resolve, reject) => {
        const onTime = (): void => reject(new Error(`${this.told.length} events came, ${this.taken.length} were taken`));
        if (limit.aborted) return onTime();
        limit.addEventListener("abort", onTime, { once: true });
        this.#arrivals.addEventListener(
          "arrived",
          () => {
            limit.removeEventListener("abort", onTime);
            resolve();
          },
          { once: true },
        );
      });
    }
  }
}
