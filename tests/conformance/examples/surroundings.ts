import { randomInt } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { asyncapiConnector } from "@tutti/connector-asyncapi";
import { containerConnector } from "@tutti/connector-container";
import { grpcConnector } from "@tutti/connector-grpc";
import { type HttpClient, httpClient } from "@tutti/connector-http";
import { type Connector, Network } from "@tutti/connector-kit";
import { mcpConnector } from "@tutti/connector-mcp";
import { AppError, isJsonObject, type Json, jsonEqual } from "@tutti/model";
import type { Surroundings } from "../suite-runner/surroundings.ts";
import { StandInEngine } from "./container-engine.ts";
import { GrpcServer } from "./grpc-server.ts";
import { MessageServer } from "./message-server.ts";
import type { ExampleRow } from "./table.ts";

/** In texts of the table: where the message server listens. */
const MESSAGE_PORT = "«port»";

/** The systems that a row of the table asks for, for one play. */
export async function surroundingsOf(row: ExampleRow): Promise<Surroundings> {
  const engine = row.engine === undefined ? undefined : new StandInEngine(row.engine.images);
  const messages = row.messages === undefined ? undefined : new MessageServer(row.messages, { hangsUp: row.hangsUp === true });
  const tools = row.tools === undefined ? undefined : new ToolProgram(row.tools.program);
  const grpc = row.grpc === undefined ? undefined : new GrpcServer(row.grpc);
  const baseDirectory = row.files === undefined ? undefined : directoryOf(row.files);
  const address = ownAddress();
  await engine?.start();
  await messages?.start(address);
  await grpc?.start(row.grpc?.port ?? 0, address);
  const fill = (value: Json): string => {
    const text = typeof value === "string" ? value : JSON.stringify(value);
    return text.replaceAll(MESSAGE_PORT, String(messages?.port ?? ""));
  };
  const texts = new Map(Object.entries(row.outside ?? {}).map(([url, value]) => [url, fill(value)]));
  // Names lead to this machine, for what is no HTTP request.
  const network = new Network({ resolve: () => Promise.resolve([{ address, family: 4 }]) });
  return {
    texts,
    baseDirectory,
    connectors: (http) => connectorsOf(http, network, engine),
    references: {
      read: ({ uri, from }) => {
        const url = new URL(uri, from).href;
        const text = texts.get(url);
        if (text === undefined) return Promise.reject(new AppError("reference-unreachable", `There is no ${url} around this example.`));
        return Promise.resolve({ url, text });
      },
    },
    problems: () => [
      ...differences("containers made", row.engine?.made, engine?.made),
      ...differences("images pulled", row.engine?.pulls, engine?.pulls),
      ...differences("containers left", row.engine?.left, engine?.left),
      ...differences("calls of the gRPC server", row.grpc?.calls, grpc?.calls),
      ...differences("calls of tools", row.tools?.calls, tools?.calls),
    ],
    close: async () => {
      tools?.remove();
      await grpc?.stop();
      if (baseDirectory !== undefined) rmSync(baseDirectory, { recursive: true, force: true });
      await messages?.stop();
      await engine?.stop();
    },
  };
}

function connectorsOf(http: HttpClient, network: Network, engine: StandInEngine | undefined): readonly Connector[] {
  const client = httpClient({ fetch: http.send, network, nowMs: http.nowMs });
  return [
    asyncapiConnector({ http: client }),
    grpcConnector({ http: client }),
    mcpConnector({ http: client }),
    containerConnector({ engine: engine?.socketPath ?? "/nowhere/docker.sock" }),
  ];
}

function differences(what: string, expected: Json | undefined, seen: Json | readonly Json[] | undefined): readonly string[] {
  if (expected === undefined || jsonEqual(expected, (seen ?? null) as Json)) return [];
  return [`${what}: expected ${JSON.stringify(expected)}, it is ${JSON.stringify(seen)}`];
}

/** Of this play alone: an example's port may be taken on the usual address, by another play too. Linux answers for all of 127.0.0.0/8. */
function ownAddress(): string {
  return `127.${randomInt(1, 255)}.${randomInt(0, 255)}.${randomInt(1, 255)}`;
}

function directoryOf(files: Readonly<Record<string, string>>): string {
  const directory = mkdtempSync(join(tmpdir(), "tutti-example-"));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), text);
  }
  return directory;
}

/** A program of the name on this process's path, in place of one that would come from the network. */
class ToolProgram {
  readonly #folder = mkdtempSync(join(tmpdir(), "tutti-tools-"));
  readonly #path = process.env["PATH"];

  constructor(name: string) {
    const script = join(import.meta.dirname, "tool-server.ts");
    writeFileSync(
      join(this.#folder, name),
      `#!/bin/sh\nexec '${process.execPath}' --disable-warning=ExperimentalWarning '${script}' '${this.#log}' "$@"\n`,
    );
    chmodSync(join(this.#folder, name), 0o700);
    process.env["PATH"] = `${this.#folder}${delimiter}${this.#path ?? ""}`;
  }

  get #log(): string {
    return join(this.#folder, "calls.log");
  }

  get calls(): Json {
    if (!existsSync(this.#log)) return [];
    const lines = readFileSync(this.#log, "utf8").trimEnd().split("\n");
    // Written by `tool-server.ts`.
    return lines.map((line) => JSON.parse(line) as Json).filter((one) => isJsonObject(one));
  }

  remove(): void {
    if (this.#path === undefined) delete process.env["PATH"];
    else process.env["PATH"] = this.#path;
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
