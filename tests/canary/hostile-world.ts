import type { Canaries } from "./canaries.ts";
import { EchoServer } from "./echo-server.ts";
import { HostileBrokers } from "./hostile-brokers.ts";
import { HostileEngine } from "./hostile-engine.ts";
import { HostileGrpc, PROTO } from "./hostile-grpc.ts";
import type { Hostile } from "./service-workflows.ts";

/** Everybody whom the workflows call, each of whom tells everything on: an HTTP server, a container engine, brokers, a server of gRPC. */
export class HostileWorld {
  readonly server: EchoServer;
  readonly #brokers: HostileBrokers;
  readonly #grpc: HostileGrpc;
  #engine: HostileEngine | undefined;

  constructor(canaries: Canaries) {
    this.server = new EchoServer(canaries);
    this.#brokers = new HostileBrokers(this.server.hear);
    this.#grpc = new HostileGrpc(this.server.hear);
  }

  async start(): Promise<Hostile> {
    const origin = await this.server.start();
    await this.#brokers.start();
    this.server.files.set("asyncapi.json", JSON.stringify(this.#brokers.document(origin)));
    this.server.files.set("echo.proto", PROTO);
    return { origin, grpcPort: await this.#grpc.start() };
  }

  /** Starts the container engine; its socket lies in `directory`. @returns where it listens. */
  async startEngine(directory: string): Promise<string> {
    this.#engine = new HostileEngine(directory, this.server.hear);
    return this.#engine.start();
  }

  async stop(): Promise<void> {
    await this.#engine?.stop();
    await this.#grpc.stop();
    await this.#brokers.stop();
    await this.server.stop();
  }
}
