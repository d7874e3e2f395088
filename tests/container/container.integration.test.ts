import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { containerConnector } from "@tutti/connector-container";
import { attemptForTests, type ConnectorFunction } from "@tutti/connector-kit";
import type { Json, JsonObject } from "@tutti/model";
import { Token } from "@tutti/model/schemas";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { TuttiProcess, tutti } from "../cli/tutti-process.ts";
import { DockerLab, IMAGE } from "./docker-lab.ts";

/** The engine needs root, and so does installing it. */
const canRun = process.getuid?.() === 0;
/** An engine that ends a followed log too early does so now and then: about one in four runs of this file met it. */
const SHORT_LIVES = 15;

let docker: DockerLab;
let shared: string;
let made = 0;
const TASK_LABEL = "dev.tutti.run";

beforeAll(async () => {
  if (canRun) docker = await DockerLab.start();
}, 300_000);
afterAll(() => docker?.stop(), 120_000);
beforeEach(() => {
  shared = mkdtempSync(join(tmpdir(), "tutti-container-"));
});
afterEach(async () => {
  if (canRun) await docker.removeAll(TASK_LABEL);
  rmSync(shared, { recursive: true });
});

/** As after a restart: nothing is remembered. */
const connect = (): ConnectorFunction =>
  // The connector has this function.
  containerConnector({ engine: docker.engine, environment: {} }).functions["run.container"] as ConnectorFunction;

function newToken(): Token {
  made += 1;
  return Token.parse(`tok_${`${process.pid}a${made}`.padStart(32, "0")}`);
}

/** Says in a file of the host that it ran, then waits until it may end. */
const COUNTED = "echo run >> /shared/runs; while [ ! -e /shared/go ]; do sleep 0.05; done; echo out; echo problem >&2";
const runs = (): number => (existsSync(join(shared, "runs")) ? readFileSync(join(shared, "runs"), "utf8").split("\n").length - 1 : 0);
const letGo = (): void => writeFileSync(join(shared, "go"), "");

async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 3600; tries += 1) {
    if (await isTrue()) return;
    await sleep(50);
  }
  throw new Error("it did not become true within three minutes");
}

interface RunOptions {
  readonly token?: Token;
  readonly by?: ConnectorFunction;
  readonly signal?: AbortSignal;
  readonly outer?: JsonObject;
}

function start(container: JsonObject, { token = newToken(), by = connect(), signal, outer = {} }: RunOptions = {}) {
  const attempt = attemptForTests({
    token,
    taskInput: { task: "input" },
    baseDirectory: shared,
    ...(signal === undefined ? {} : { signal }),
  });
  const result: Promise<Json> = by.run({ container: { image: IMAGE, ...container }, ...outer }, attempt);
  result.catch(() => {});
  return { attempt, result, token, by };
}

function stopped(name: string): AbortSignal {
  const reason = new Error("stop");
  reason.name = name;
  return AbortSignal.abort(reason);
}

describe.skipIf(!canRun)("run.container", () => {
  test.each<[string, Json]>([
    ["stdout", "out"],
    ["stderr", "problem"],
    ["code", 0],
    ["all", { code: 0, stdout: "out", stderr: "problem" }],
    ["none", null],
  ])("returns %s", async (wanted, expected) => {
    const { result, attempt } = start({ command: "echo out; echo problem >&2" }, { outer: { return: wanted } });
    expect(await result).toEqual(expected);
    expect(attempt.lines).toContainEqual({ stream: "stdout", text: "out" });
    expect(attempt.lines).toContainEqual({ stream: "stderr", text: "problem" });
    expect(attempt.heartbeats()).toBeGreaterThan(0);
  });

  test("what is written last, without a line end, is never missing, and is logged once", async () => {
    for (let round = 0; round < SHORT_LIVES; round++) {
      const { result, attempt } = start({ command: "echo first; printf last" });
      expect(await result).toBe("first\nlast");
      expect(attempt.lines.filter(({ stream }) => stream === "stdout").map(({ text }) => text)).toEqual(["first", "last"]);
    }
  });

  test("another code than 0 is an error with what it complained about, unless the code was asked for", async () => {
    const failing = { command: "echo why >&2; exit 3" };
    await expect(start(failing).result).rejects.toMatchObject({ outcome: "answered", detail: { code: 3, stderr: "why" } });
    expect(await start(failing, { outer: { return: "code" } }).result).toBe(3);
    expect(await start(failing, { outer: { return: "all" } }).result).toMatchObject({ code: 3 });
  });

  test("standard input and arguments arrive, as in the specification's example", async () => {
    const command = 'input=$(cat)\necho "STDIN was: $input"\necho "ARGS are $1 $2"\n';
    const { result } = start({ command, stdin: "Hello World", arguments: ["Foo", 2] });
    expect(await result).toBe("STDIN was: Hello World\nARGS are Foo 2");
    const large = "x".repeat(3_000_000);
    expect(await start({ command: "wc -c", stdin: large }).result).toBe("3000000");
    expect(await start({ command: "exit 0", stdin: large, arguments: [] }).result).toBe("");
  });

  test("a program's name needs no shell; without a command the arguments go to the image's own; relative volumes are the workflow's", async () => {
    writeFileSync(join(shared, "data.txt"), "from the host");
    expect(await start({ command: "/bin/cat", arguments: ["/in/data.txt"], volumes: { "./data.txt": "/in/data.txt:ro" } }).result).toBe(
      "from the host",
    );
    expect(await start({ arguments: ["echo", "hi"] }).result).toBe("hi");
    await expect(start({ command: "echo x > /in/y", volumes: { [shared]: "/in:ro" } }).result).rejects.toMatchObject({
      detail: { code: 1 },
    });
  });

  test("environment, ports, name and labels are as said", async () => {
    const { result, token, attempt } = start(
      {
        command: "sleep 100",
        name: `named-${process.pid}`,
        environment: { A: "b c", N: 1, NONE: null },
        ports: { "127.0.0.1:18999": 8080, "18998": "53/udp" },
      },
      { outer: { await: false } },
    );
    expect(await result).toEqual({ task: "input" });
    const seen = await docker.ask("GET", `/containers/named-${process.pid}/json`);
    expect(seen).toMatchObject({
      State: { Running: true },
      Config: { Labels: { "dev.tutti.token": token, "dev.tutti.run": attempt.runId } },
      HostConfig: {
        PortBindings: { "8080/tcp": [{ HostIp: "127.0.0.1", HostPort: "18999" }], "53/udp": [{ HostIp: "", HostPort: "18998" }] },
      },
    });
    // The engine's description has this form.
    const { Env: environment } = (seen as { Config: { Env: string[] } }).Config;
    expect(environment).toEqual(expect.arrayContaining(["A=b c", "N=1", `TUTTI_TOKEN=${token}`]));
    expect(environment.join()).not.toContain("NONE");
  });

  test.each<[string, JsonObject, string]>([
    ["an image that is not there and may not be pulled", { image: "lab/none:1", pullPolicy: "never" }, "pullPolicy"],
    ["an image that can't be pulled", { image: "127.0.0.1:1/none:1" }, "could not be pulled"],
    ["an image that can't be pulled anew", { image: "127.0.0.1:1/none:1", pullPolicy: "always" }, "could not be pulled"],
    ["a name that is none", { name: "a b" }, "name"],
    ["a port that is none", { ports: { web: "80" } }, "host port: container port"],
    ["a relative path inside", { volumes: { "/tmp": "data" } }, "absolute path"],
    ["a program that is not there", { command: "/no/such/program" }, "could not be started"],
  ])("%s is a clear error, and no container is left", async (_, container, message) => {
    const { result, token } = start(container);
    await expect(result).rejects.toMatchObject({ message: expect.stringContaining(message) });
    expect(await docker.containers(`dev.tutti.token=${token}`)).toEqual([]);
  });

  test("an engine that is not there: never began, and the message says where to name it", async () => {
    const by = containerConnector({ engine: "unix:///nowhere/docker.sock" }).functions["run.container"] as ConnectorFunction;
    await expect(start({}, { by }).result).rejects.toMatchObject({
      outcome: "never-began",
      message: expect.stringMatching(/\/nowhere\/docker\.sock.*containers\.engine/),
    });
    const remote = containerConnector({ environment: { DOCKER_HOST: "tcp://10.0.0.1:2375" } }).functions[
      "run.container"
    ] as ConnectorFunction;
    await expect(start({}, { by: remote }).result).rejects.toMatchObject({ outcome: "never-began", errorKind: "configuration" });
  });

  test("what floods its output is ended", async () => {
    const { result, token } = start({ command: "yes 'a long line of output, again and again, without any end at all'" });
    await expect(result).rejects.toMatchObject({ outcome: "answered", message: expect.stringContaining("more than 16 MiB to stdout") });
    expect(await docker.containers(`dev.tutti.token=${token}`)).toMatchObject([{ state: "exited" }]);
  });

  test("an abort asks the container to end; the next attempt makes its own", async () => {
    const controller = new AbortController();
    // In memory: on a disk that others keep busy the words could take longer than the grace.
    const memory = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "tutti-container-"));
    const command = "trap 'echo asked >> /memory/asked; exit 1' TERM; echo run >> /shared/runs; while :; do sleep 0.05; done";
    const container = { command, volumes: { [shared]: "/shared", [memory]: "/memory" } };
    const first = start(container, { signal: controller.signal });
    await until(() => runs() === 1);
    controller.abort(new Error("timeout"));
    await expect(first.result).rejects.toMatchObject({ outcome: "unknown", errorKind: "timeout" });
    expect(readFileSync(join(memory, "asked"), "utf8")).toBe("asked\n");
    rmSync(memory, { recursive: true });
    const second = start({ ...container, command: COUNTED }, { token: first.token });
    letGo();
    expect(await second.result).toBe("out");
    expect(runs()).toBe(2);
  });
});

describe.skipIf(!canRun)("the same container, not a second one", () => {
  const counted = (): JsonObject => ({ command: COUNTED, volumes: { [shared]: "/shared" } });

  test("a running one of an earlier attempt is taken over, with its output from the beginning", async () => {
    const controller = new AbortController();
    const first = start(counted(), { signal: controller.signal });
    await until(() => runs() === 1);
    const reason = new Error("the process ends");
    reason.name = "StopError";
    controller.abort(reason);
    await expect(first.result).rejects.toMatchObject({ outcome: "unknown" });
    expect(await docker.containers(`dev.tutti.token=${first.token}`)).toMatchObject([{ state: "running" }]);
    const second = start(counted(), { token: first.token });
    letGo();
    expect(await second.result).toBe("out");
    expect(runs()).toBe(1);
  });

  test("an ended one is taken over until its outcome is stored; the control: then the next attempt makes a new one", async () => {
    letGo();
    const { token, result } = start({ ...counted(), command: `${COUNTED}; exit 5` });
    await expect(result).rejects.toMatchObject({ detail: { code: 5 } });
    const again = start({ ...counted(), command: `${COUNTED}; exit 5` }, { token });
    await expect(again.result).rejects.toMatchObject({ detail: { code: 5, stderr: "problem" } });
    expect(runs()).toBe(1);
    await again.attempt.store("failed");
    expect(await start(counted(), { token }).result).toBe("out");
    expect(runs()).toBe(2);
  });

  test("an attempt that was stopped before it came to the container says nothing of it: the next one takes it over", async () => {
    letGo();
    const { token, result } = start({ ...counted(), command: `${COUNTED}; exit 5` });
    await expect(result).rejects.toMatchObject({ detail: { code: 5 } });
    const early = start(counted(), { token, signal: stopped("AbortError") });
    await expect(early.result).rejects.toMatchObject({ outcome: "never-began" });
    await early.attempt.store("failed");
    await expect(start(counted(), { token }).result).rejects.toMatchObject({ detail: { code: 5 } });
    expect(runs()).toBe(1);
  });

  test("a retry at once waits for what is being noted of the attempt before it", async () => {
    letGo();
    const first = start({ ...counted(), command: `${COUNTED}; exit 5` });
    await expect(first.result).rejects.toMatchObject({ detail: { code: 5 } });
    const noted = first.attempt.store("failed");
    expect(await start(counted(), { token: first.token, by: first.by }).result).toBe("out");
    await noted;
    expect(runs()).toBe(2);
  });

  test("an author's name: another's container is not touched, one's own is replaced once its outcome is stored", async () => {
    const name = `mine-${process.pid}`;
    letGo();
    const first = start({ ...counted(), name });
    expect(await first.result).toBe("out");
    await expect(start({ ...counted(), name }).result).rejects.toMatchObject({
      outcome: "never-began",
      message: expect.stringContaining(`the name ${name} already`),
    });
    await first.attempt.store();
    expect(await start({ ...counted(), name }, { token: first.token }).result).toBe("out");
    expect(await docker.containers(`dev.tutti.token=${first.token}`)).toMatchObject([{ name }]);
    expect(runs()).toBe(2);
  });

  test("cleanup: always removes once the outcome is stored, never keeps, eventually removes later, whoever comes by", async () => {
    const left = async (token: Token): Promise<number> => (await docker.containers(`dev.tutti.token=${token}`)).length;
    const ended = async (lifetime: JsonObject) => {
      const run = start({ command: "echo x", lifetime });
      await run.result;
      return run;
    };
    const [always, never, eventually, later] = await Promise.all([
      ended({ cleanup: "always" }),
      ended({ cleanup: "never" }),
      ended({ cleanup: "eventually", after: { seconds: 1 } }),
      ended({ cleanup: "eventually", after: "PT1H" }),
    ]);
    expect(await left(always.token)).toBe(1);
    for (const { attempt } of [always, never, eventually, later]) await attempt.store();
    expect(await left(always.token)).toBe(0);
    await until(async () => {
      await start({ command: "true" }).result;
      return (await left(eventually.token)) === 0;
    });
    expect([await left(never.token), await left(later.token)]).toEqual([1, 1]);
  });

  test("what nobody has stored is never removed by a sweep; what nobody waits for is", async () => {
    const unstored = start({ command: "echo x", lifetime: { cleanup: "eventually", after: { milliseconds: 1 } } });
    await unstored.result;
    const alone = start({ command: "echo x", lifetime: { cleanup: "always" } }, { outer: { await: false } });
    await alone.result;
    await until(async () => {
      await start({ command: "true" }).result;
      return (await docker.containers(`dev.tutti.token=${alone.token}`)).length === 0;
    });
    expect(await docker.containers(`dev.tutti.token=${unstored.token}`)).toHaveLength(1);
  });

  test("stopped before it began: nothing is made", async () => {
    const { result, token } = start({}, { signal: stopped("AbortError") });
    await expect(result).rejects.toMatchObject({ outcome: "never-began" });
    expect(await docker.containers(`dev.tutti.token=${token}`)).toEqual([]);
  });
});

describe.skipIf(!canRun)("the whole program", () => {
  const workflow = (cleanup: string): string => `
document: { dsl: '1.0.3', namespace: tests, name: contained, version: '1.0.0' }
do:
  - work:
      run:
        container:
          image: ${IMAGE}
          command: ${JSON.stringify(COUNTED)}
          volumes: { ${shared}: /shared }
          lifetime: { cleanup: ${cleanup} }
        return: all
`;
  const words = ["run", "start", "workflow.yaml", "--key", "one", "--wait", "--json"];
  const environment = (): Record<string, string> => ({ DOCKER_HOST: docker.engine });
  const output = { code: 0, stdout: "out", stderr: "problem" };

  test("killed while the container runs, it takes it up again: one container ran, and its output is the task's", async () => {
    writeFileSync(join(shared, "workflow.yaml"), workflow("never"));
    const first = new TuttiProcess(shared, words, environment());
    await until(() => runs() === 1);
    first.child.kill("SIGKILL");
    await first.ended;
    const second = new TuttiProcess(shared, words, environment());
    letGo();
    const ended = await second.ended;
    expect(JSON.parse(ended.out)).toMatchObject({ status: "completed", output });
    expect(runs()).toBe(1);
    expect(await docker.containers(TASK_LABEL)).toMatchObject([{ state: "exited" }]);
  });

  test.each(["always", "never"])("killed once at every position of its journal, cleanup %s: one container ran", async (cleanup) => {
    writeFileSync(join(shared, "workflow.yaml"), workflow(cleanup));
    letGo();
    const positions = join(shared, "positions");
    let kills = 0;
    for (; kills < 50; kills += 1) {
      const ended = await tutti(shared, words, { ...environment(), TUTTI_CRASH_ONCE: positions });
      if (ended.signal !== "SIGKILL") {
        expect(JSON.parse(ended.out)).toMatchObject({ status: "completed", output });
        break;
      }
    }
    expect(kills).toBeGreaterThanOrEqual(4);
    expect(runs()).toBe(1);
    expect((await docker.containers(TASK_LABEL)).length).toBeLessThanOrEqual(1);
  });
});
