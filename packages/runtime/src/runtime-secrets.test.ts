import { defineConnector, z } from "@tutti/connector-kit";
import type { Json, JsonObject } from "@tutti/model";
import { expect, test } from "vitest";
import { Redactor } from "./redactor.ts";
import { withMaskedReports } from "./masked-reports.ts";
import type { Env } from "./env.ts";
import { World } from "./runtime-for-tests.ts";

const SECRET = "hunter2hunter2";

const echo = defineConnector({
  name: "echo",
  version: "1.0.0",
  functions: {
    "note.tell:1": {
      title: "Tells what it is given",
      input: z.record(z.string(), z.custom<Json>()),
      output: z.custom<Json>(),
      effect: "read",
      requestTimeoutMs: 0,
      settleMs: 0,
      run: async (input) => input["key"] as Json,
    },
  },
});

const USE: JsonObject = { use: { secrets: ["key"] } };

async function worldWith(tasks: readonly JsonObject[], more: JsonObject): Promise<World> {
  const world = new World({ connectors: [echo], secrets: { key: SECRET } });
  await world.start();
  await world.publish(tasks, more);
  return world;
}

test.each(["tonumber", ". + 1", ".foo", "fromjson", "error", ". as $s | [1] | .[$s]", '"x" + . | error'])(
  "the message of a failing expression that reads a secret quotes nothing of it: %s",
  async (transform) => {
    const world = await worldWith([{ tell: { call: "note.tell:1@echo", with: { key: `\${ $secrets.key | ${transform} }` } } }], USE);
    const runId = await world.begin();
    expect((await world.wait(runId, "parked")).status).toBe("faulted");
    expect(JSON.stringify([await world.runtime.show(runId), world.reports])).not.toContain(SECRET.slice(0, 6));
  },
);

test("what comes from outside is masked before any run has used the secret", async () => {
  const world = await worldWith([{ tell: { call: "note.tell:1@echo", with: { key: "${ .said }" } } }], {});
  // A service that heard it in an earlier life of the process: here it is the input, which stays as it was given.
  const runId = await world.begin({ said: SECRET });
  await world.wait(runId);
  expect((await world.runtime.show(runId)).output).toBe("***");
});

test("an event is masked but for what names it", async () => {
  const world = await worldWith([{ nothing: { set: { a: 1 } } }], {});
  const event = { specversion: "1.0" as const, id: SECRET, source: "urn:a", type: "a", subject: SECRET, data: { deep: [`so ${SECRET}`] } };
  await world.settle(world.runtime.acceptEvent(event));
  const [stored] = await world.runtime.listEvents(1);
  expect(stored).toMatchObject({ id: SECRET, source: "urn:a" });
  expect(JSON.parse(stored?.body ?? "")).toMatchObject({ id: SECRET, subject: "***", data: { deep: ["so ***"] } });
});

test("reports are masked with their causes and stacks", () => {
  const redactor = new Redactor();
  redactor.register(SECRET);
  const reports: unknown[] = [];
  const env = withMaskedReports({ report: (...report: unknown[]) => reports.push(report) } as unknown as Env, redactor);
  const clean = new Error("nothing");
  env.report(`about ${SECRET}`, new Error(`sent ${SECRET}`, { cause: new Error(SECRET) }));
  env.report("clean", clean);
  const [[message, cause], [, same]] = reports as [[string, Error], [string, Error]];
  expect([message, cause.message, cause.stack, String(cause.cause)].join("\n")).not.toContain("hunter2");
  expect(same).toBe(clean);
});
