import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { attemptForTests, type ConnectorFunction, type RecordingAttempt } from "@tutti/connector-kit";
import type { Json, JsonObject } from "@tutti/model";
import { asyncapiConnector, type AsyncapiConnectorOptions } from "./asyncapi-connector.ts";

/** A directory with an AsyncAPI document in it, and the call as a workflow of that directory makes it. */
export interface Bench {
  readonly call: (input: JsonObject, attempt?: RecordingAttempt) => Promise<Json>;
  readonly attempt: (given?: Parameters<typeof attemptForTests>[0]) => RecordingAttempt;
  readonly remove: () => Promise<void>;
}

export async function benchOf(document: Json, options: AsyncapiConnectorOptions = {}): Promise<Bench> {
  const directory = await mkdtemp(join(tmpdir(), "tutti-asyncapi-"));
  await writeFile(join(directory, "asyncapi.json"), JSON.stringify(document));
  const { asyncapi } = asyncapiConnector(options).functions as { readonly asyncapi: ConnectorFunction };
  const attempt: Bench["attempt"] = (given = {}) => attemptForTests({ baseDirectory: directory, ...given });
  return {
    attempt,
    call: (input, made = attempt()) => asyncapi.run({ document: { endpoint: "asyncapi.json" }, ...input }, made),
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}
