import { type Connector, ConnectorError, defineConnector, z } from "@tutti/connector-kit";
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
          const answer = answers[next] ?? null;
          next += 1;
          if (answer instanceof Error) throw answer;
          return answer;
        },
        tidy: async () => {
          events.push("tidy");
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

describe("tidying up", () => {
  test("follows a known end", async () => {
    expect(await eventsOf(MAKE, [{ ok: true }])).toEqual(["run 1", "tidy"]);
  });

  test("comes between a failure and the retry", async () => {
    expect(await eventsOf(RETRIED, [refused, { ok: true }])).toEqual(["run 1", "tidy", "run 2", "tidy"]);
  });

  test("does not follow an end that nobody knows: what was made is still to be found", async () => {
    expect(await eventsOf(MAKE, [lost, { ok: true }])).toEqual(["run 1", "run 2", "tidy"]);
  });

  test("comes after the commit: a process that dies before it never tidies up", async () => {
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
