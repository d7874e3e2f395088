import { attemptForTests, parseInput } from "@tutti/connector-kit";
import type { JsonObject } from "@tutti/model";
import { describe, expect, test } from "vitest";
import { containerConnector } from "./container-connector.ts";
import { ContainerInput, secondsUntilCleanup } from "./container-input.ts";
import { containerPlan } from "./container-plan.ts";
import { engineSocket } from "./engine-socket.ts";

const plan = (container: JsonObject): JsonObject =>
  containerPlan(parseInput(ContainerInput, { container: { image: "i", ...container } }), attemptForTests({ baseDirectory: "/srv" }));

describe("containerPlan", () => {
  test.each<[JsonObject, JsonObject]>([
    [{ arguments: ["a", 1, true] }, { Cmd: ["a", "1", "true"] }],
    [{ command: "/bin/tool" }, { Entrypoint: ["/bin/tool"], Cmd: [] }],
    [
      { command: "echo $1", arguments: ["x"] },
      { Entrypoint: ["/bin/sh", "-c", "echo $1", "sh"], Cmd: ["x"] },
    ],
    [{ stdin: "x" }, { OpenStdin: true, StdinOnce: true }],
    [{ stdin: "" }, { OpenStdin: false }],
    [{ volumes: { "/a": "/b:ro", data: "/c", "./d": "/e" } }, { HostConfig: { Binds: ["/a:/b:ro", "data:/c", "/srv/d:/e"] } }],
  ])("%j", (container, expected) => {
    expect(plan(container)).toMatchObject(expected);
  });

  test.each<[JsonObject]>([
    [{ ports: { "80": "http" } }],
    [{ ports: { "1.2.3:80": "80" } }],
    [{ volumes: { "/a": "b" } }],
    [{ volumes: { "/a:/x": "/b" } }],
    [{ image: "../containers" }],
    [{ image: "a b" }],
    [{ name: "-x" }],
    [{ lifetime: { cleanup: "eventually", after: "P" } }],
  ])("%j is refused before anything is made", (container) => {
    expect(() => plan(container)).toThrow(expect.objectContaining({ errorKind: "validation", outcome: "never-began" }));
  });
});

test.each([
  [{ minutes: 30 }, 1800],
  [{ days: 1, hours: 1, seconds: 1, milliseconds: 500 }, 90_001.5],
  ["PT1H30M", 5400],
  ["P1DT0.5S", 86_400.5],
])("%j is %d seconds", (after, seconds) => {
  expect(secondsUntilCleanup({ cleanup: "eventually", after })).toBe(seconds);
});

test("with standard input a lost container can't be known to have had all of it", () => {
  const effect = containerConnector({ environment: {} }).functions["run.container"]?.effect;
  if (typeof effect !== "function") throw new Error("the effect follows from the input");
  expect(effect({ container: { image: "i" } })).toBe("idempotent");
  expect(effect({ container: { image: "i", stdin: null } })).toBe("idempotent");
  expect(effect({ container: { image: "i", stdin: "x" } })).toBe("unsafe");
});

test("the engine's socket: the setting, else DOCKER_HOST; none but a Unix socket", () => {
  expect(engineSocket("unix:///run/a.sock", { DOCKER_HOST: "unix:///b" })).toBe("/run/a.sock");
  expect(engineSocket(undefined, { DOCKER_HOST: "unix:///b" })).toBe("/b");
  expect(engineSocket(undefined, { DOCKER_HOST: "" })).toMatch(/\.sock$/);
  expect(() => engineSocket(undefined, { DOCKER_HOST: "tcp://10.0.0.1:2375" })).toThrow(/unix:\/\/\/path/);
});
