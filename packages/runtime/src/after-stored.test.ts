import { type Connector, ConnectorError, type ConnectorFunction, defineConnector, z } from "@tutti/connector-kit";
import type { Json } from "@tutti/model";
import { describe, expect, test } from "vitest";
import { World } from "./runtime-for-tests.ts";

/** What each attempt answers, in order; an Error is thrown. */
function connector(answers: readonly (Json | Error)[], events: string[]): Connector {
  let next = 0;
  return defineConnector({
    name: "sample",
    version: "1.0.0",
    functions: {
      "thing.make:1": {
        title: "Make",
        input: z.object({}),
        output: z.custom<Json>(),
        effect: "idempotent",
        requestTimeoutMs: 0,
        settleMs: 0,
        run: async (_, attempt) => {
          events.push(`run ${attempt.number}`);
          attempt.afterStored(async (end) => {
            events.push(end);
          });
          const answer = answers[next] ?? null;
          next += 1;
          if (answer instanceof Error) throw answer;
          return answer;
        },
      },
    },
  });
}

const MAKE = { make: { call: "thing.make:1@sample", with: {} } };
const RETRIED = { again: { try: [MAKE], catch: { retry: { limit: { attempt: { count: 3 } } } } } };
const refused = new ConnectorError("refused", { kind: "communication", outcome: "answered", status: 503, retryable: true });
const lost = new ConnectorError("lost", { kind: "communication", outcome: "unknown", retryable: true });

async function eventsOf(task: Readonly<Record<string, Json>>, answers: readonly (Json | Error)[]): Promise<readonly string[]> {
  const events: string[] = [];
  const world = new World({ connectors: [connector(answers, events)] });
  await world.start();
  await world.run([task]);
  return events;
}

describe("what is left to do after the end of an attempt is stored", () => {
  test("follows a known end, and is told which", async () => {
    expect(await eventsOf(MAKE, [{ ok: true }])).toEqual(["run 1", "completed"]);
    expect(await eventsOf(MAKE, [refused])).toEqual(["run 1", "failed"]);
  });

  test("comes between a failure and the retry", async () => {
    expect(await eventsOf(RETRIED, [refused, { ok: true }])).toEqual(["run 1", "failed", "run 2", "completed"]);
  });

  test("does not follow an end that nobody knows: what was made is still to be found", async () => {
    expect(await eventsOf(MAKE, [lost, { ok: true }])).toEqual(["run 1", "run 2", "completed"]);
  });

  test("is a failure where the output could not be used: nothing of it is stored", async () => {
    expect(await eventsOf(MAKE, [{ when: new Date(0) } as unknown as Json])).toEqual(["run 1", "failed"]);
  });

  test("a failing listener is reported, and changes nothing", async () => {
    const events: string[] = [];
    const made = connector([{ ok: true }], events);
    const { "thing.make:1": declared } = made.functions;
    const run: ConnectorFunction["run"] = async (_, attempt) => {
      attempt.afterStored(async () => {
        throw new Error("not today");
      });
      return { ok: true };
    };
    const world = new World({ connectors: [{ ...made, functions: { "thing.make:1": { ...(declared as ConnectorFunction), run } } }] });
    await world.start();
    expect(await world.run([MAKE])).toMatchObject({ status: "completed", output: { ok: true } });
    expect(world.reports.join()).toContain("not today");
  });

  test("comes after the commit: a process that dies before it never does it", async () => {
    const events: string[] = [];
    let hasRun = false;
    const world = new World({
      connectors: [connector([{ ok: true }], events)],
      crashAt: (name) => {
        hasRun ||= events.includes("run 1");
        return name === "commit.before" && hasRun;
      },
    });
    await world.start();
    await world.run([MAKE]).catch(() => {});
    expect(events).toEqual(["run 1"]);
  });
});
