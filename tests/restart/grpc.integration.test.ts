import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isJsonObject, type Json } from "@tutti/model";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TuttiProcess, tutti } from "../cli/tutti-process.ts";
import { type PetServer, startPetServer } from "../../packages/connectors/grpc/src/server-for-tests.ts";
import { conformanceDir, exampleTexts, specificationDir } from "../conformance/material.ts";

const WORDS = ["run", "start", "workflow.yaml", "--input", "input.json", "--key", "one", "--wait", "--json"];

let server: PetServer;

beforeAll(async () => {
  server = await startPetServer();
});
afterAll(() => server.stop());

/** A directory for one run: that of the .proto files, without the data of the run before. */
function begin(workflow: string, input: Json): string {
  rmSync(join(server.directory, ".tutti"), { recursive: true, force: true });
  writeFileSync(join(server.directory, "workflow.yaml"), workflow);
  writeFileSync(join(server.directory, "input.json"), JSON.stringify(input));
  return server.directory;
}

const calling = (method: string, effect: string): string => `
document: { dsl: '1.0.3', namespace: tests, name: calling, version: '1.0.0' }
do:
  - ask:
      call: grpc
      with:
        proto: { endpoint: acme/pets/v1/pets.proto }
        service: { name: acme.pets.v1.PetService, host: localhost, port: ${server.port} }
        method: ${method}
        arguments: { name: '\${ .name }' }
      output: { as: .name }
      metadata: { tutti: { effect: { class: ${effect} } } }
`;
const tokensSince = (before: number): readonly Json[] =>
  server.events
    .slice(before)
    .flatMap(({ metadata }) =>
      isJsonObject(metadata ?? null) ? [((metadata ?? {}) as Record<string, Json>)["idempotency-key"] ?? null] : [],
    );

describe("call: grpc in the whole program", () => {
  const specification = specificationDir(conformanceDir());

  test.skipIf(specification === undefined)("the specification's example runs against a server", async () => {
    const text = exampleTexts(specification ?? "").get("call-grpc.yaml") ?? "";
    const directory = begin(text.replace("5011", String(server.port)), { user: { preferredDisplayName: "Ada" } });
    const ended = await tutti(directory, WORDS);
    expect(ended.error).toBe("");
    expect(JSON.parse(ended.out)).toMatchObject({ status: "completed", output: { message: "Hello Ada" } });
  });

  test("killed once at every position of its journal: every request has the same token, and the output is the task's", async () => {
    const directory = begin(calling("Echo", "idempotent"), { name: "Mia" });
    const before = server.events.length;
    let kills = 0;
    for (; kills < 40; kills += 1) {
      const ended = await tutti(directory, WORDS, { TUTTI_CRASH_ONCE: join(directory, ".tutti/positions") });
      if (ended.signal === "SIGKILL") continue;
      expect(JSON.parse(ended.out)).toMatchObject({ status: "completed", output: "Mia" });
      break;
    }
    expect(kills).toBeGreaterThanOrEqual(4);
    const tokens = tokensSince(before);
    expect(tokens.length).toBeGreaterThan(1);
    expect(new Set(tokens).size).toBe(1);
  });

  test("killed while the server works: what is unsafe waits for a person, and nothing is sent again", async () => {
    const directory = begin(calling("Hang", "unsafe"), { name: "Mia" });
    const first = new TuttiProcess(directory, WORDS);
    await server.seen("hanging");
    first.child.kill("SIGKILL");
    await first.ended;
    await server.seen("cancelled");
    const before = server.events.length;
    const ended = await tutti(
      directory,
      WORDS.filter((word) => word !== "--wait"),
    );
    expect(JSON.parse(ended.out)).toMatchObject({ status: "waiting", tasks: [{ status: "in-doubt" }] });
    expect(server.events.slice(before)).toEqual([]);
  });
});
