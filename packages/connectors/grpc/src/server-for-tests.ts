import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { create, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import type { JsonObject } from "@tutti/model";
import { PET_FILES, writePetFiles } from "./pets-for-tests.ts";
import { bundledProtos } from "./proto/collect-proto.ts";

/** Debian's own, whatever else is on the path: its packages are the other side. */
const PYTHON = "/usr/bin/python3";
/** Only stops what hangs. */
const START_MS = 180_000;

/** A running server of python3-grpcio, made from the same .proto files by protoc. */
export interface PetServer {
  readonly port: number;
  /** Where the .proto files lie. */
  readonly directory: string;
  /** What happened to calls, in order. */
  readonly events: readonly JsonObject[];
  /** Waits for the next event of this name that nobody has waited for. */
  readonly seen: (event: string) => Promise<JsonObject>;
  readonly kill: () => void;
  readonly stop: () => Promise<void>;
}

export async function startPetServer(certificate?: { readonly key: string; readonly cert: string }): Promise<PetServer> {
  const directory = mkdtempSync(join(tmpdir(), "tutti-grpc-"));
  writePetFiles(directory);
  const bundled = join(directory, "bundled.bin");
  const set = join(directory, "set.bin");
  writeFileSync(bundled, toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file: bundledProtos() })));
  const options = [`--descriptor_set_in=${bundled}`, `--descriptor_set_out=${set}`, `--proto_path=${directory}`, "--include_imports"];
  execFileSync("protoc", [...options, ...Object.keys(PET_FILES)], { timeout: START_MS });
  const words = [join(import.meta.dirname, "server-for-tests.py"), set];
  if (certificate !== undefined)
    for (const part of ["key", "cert"] as const) {
      writeFileSync(join(directory, part), certificate[part]);
      words.push(join(directory, part));
    }
  const child = spawn(PYTHON, words, { stdio: ["pipe", "pipe", "inherit"] });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const events: JsonObject[] = [];
  const taken = new Set<JsonObject>();
  const listeners = new Set<() => void>();
  createInterface({ input: child.stdout }).on("line", (line) => {
    // Only our own script writes there.
    events.push(JSON.parse(line) as JsonObject);
    for (const listener of listeners) listener();
  });
  const seen = (name: string): Promise<JsonObject> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const found = events.find((event) => event["event"] === name && !taken.has(event));
        if (found === undefined) return;
        taken.add(found);
        listeners.delete(look);
        clearTimeout(limit);
        resolve(found);
      };
      const limit = setTimeout(() => reject(new Error(`the server did not say "${name}"`)), START_MS);
      listeners.add(look);
      look();
    });
  const { port } = await seen("listening");
  return {
    port: Number(port),
    directory,
    events,
    seen,
    kill: () => child.kill("SIGKILL"),
    stop: async () => {
      child.stdin.end();
      child.kill("SIGTERM");
      await ended;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
