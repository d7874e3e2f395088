import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { LinkedService, resolveDataDirectory } from "@tutti/host";
import type { CloudEvent, JsonObject } from "@tutti/model";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Canaries, textsOf } from "./canaries.ts";
import { ENCODINGS } from "./encodings.ts";
import { HostileWorld } from "./hostile-world.ts";
import { Installation } from "./installation.ts";
import { Listener } from "./listener.ts";
import { providersUnderTest } from "./provider-workflow.ts";
import { type Leak, Scanner } from "./scanner.ts";
import { scheduledWorkflow, secretSchedule } from "./service-workflows.ts";
import { Watcher } from "./watcher.ts";
import { canaryWorkflows } from "./workflows.ts";

// Several hundred secrets, each used in one place by a real `tutti up`, against a server and programs that tell everything on in every encoding;
// afterwards every byte that Tutti wrote or said is looked through. No part of a secret may be there.

const WITHOUT_REDACTOR = fileURLToPath(new URL("without-redactor.ts", import.meta.url));
const CHILD: JsonObject = {
  document: { dsl: "1.0.3", namespace: "canary", name: "child", version: "1.0.0" },
  do: [{ keep: { set: { all: "${ . }" } } }],
};
/** Reads what the server has heard in the life before, and uses no secret itself. */
const stashReader = (origin: string): JsonObject => ({
  document: { dsl: "1.0.3", namespace: "canary", name: "stash", version: "1.0.0" },
  do: [{ read: { call: "http", with: { method: "get", endpoint: `${origin}/stash` } } }],
});
const LISTENER: JsonObject = {
  document: { dsl: "1.0.3", namespace: "canary", name: "listener", version: "1.0.0" },
  do: [{ hear: { listen: { to: { one: { with: { type: "canary.told" } } }, read: "envelope" } } }],
};
/** Two such events start a run of the workflow `scheduled`. */
const heardEvent = (id: string, type: string, told: readonly string[]): CloudEvent => ({
  specversion: "1.0",
  id,
  source: "urn:canary",
  type,
  data: { told: [...told] },
});
/** What the control runs without the redactor: one of each kind of call. */
const FAULTED = ["faulted-http", "faulted-shell", "faulted-container", "faulted-message", "faulted-grpc"];
const SLEEPER = (secret: string): JsonObject => ({
  document: { dsl: "1.0.3", namespace: "canary", name: "sleeper", version: "1.0.0" },
  use: { secrets: [secret] },
  do: [
    {
      sleep: {
        run: { shell: { command: 'echo "$KEY"; echo "awake"; sleep 600', environment: { KEY: `\${ $secrets.${secret} }` } } },
        metadata: { tutti: { effect: { class: "unsafe" } } },
      },
    },
  ],
});

function tell(leaks: readonly Leak[]): string {
  return leaks
    .slice(0, 30)
    .map((leak) => `${leak.secret} (${leak.encoding}) in ${leak.where}: ${leak.around}`)
    .join("\n");
}

/** The one place for secrets. */
const isSecretsFolder = (path: string): boolean => path.endsWith("/data/secrets");

/** A line waits for the next one a second or two. */
const AWAKE_MS_MAX = 180_000;
/** What is told comes after what is stored, by itself. */
const TOLD_MS_MAX = 300_000;

function runIdIn(text: string): string {
  return /run_[0-9a-z]{16}/.exec(text)?.[0] ?? "";
}

describe("no secret leaves a real installation", () => {
  const canaries = new Canaries();
  const world = new HostileWorld(canaries);
  const listener = new Listener();
  let installation: Installation;
  const runs = new Map<string, string>();
  let scanner: Scanner;
  let watcher: Watcher;
  let backup: string;

  beforeAll(async () => {
    const hostile = await world.start();
    installation = new Installation({ listener: await listener.start() });
    installation.set({ containers: { engine: await world.startEngine(installation.home) } });
    backup = join(installation.home, "backup");
    const workflows = canaryWorkflows(canaries, hostile);
    const providers = providersUnderTest(canaries, hostile.origin);
    const scheduled = scheduledWorkflow(canaries, hostile);
    const refused = secretSchedule(canaries);
    const sleeping = canaries.make("special");
    const told = canaries.make("special");
    installation.keep(canaries.all);
    watcher = new Watcher(new Scanner(canaries.all), installation.temporary);
    await installation.start();
    await installation.tutti(["workflow", "apply", installation.write("child.json", CHILD)]);
    await providers.add(installation);
    const next = [...workflows, { name: "providers", document: providers.document, status: "completed" }].values();
    const ends: string[] = [];
    const startNext = async (): Promise<void> => {
      for (const { name, document, status } of next) {
        const said = await installation.tutti(["run", "start", "--wait", "--json", installation.write(`${name}.json`, document)]);
        runs.set(name, runIdIn(said.text));
        if (said.code !== (status === "completed" ? 0 : 1)) ends.push(`${name} is not ${status}: ${said.text.slice(0, 2000)}`);
      }
    };
    await startNext();
    if (ends.length > 0) throw new Error(ends.join("\n"));
    // An event that tells a secret, to a run that listens.
    const listening = await installation.tutti(["run", "start", "--detach", installation.write("listener.json", LISTENER)]);
    runs.set("listener", runIdIn(listening.text));
    const event = heardEvent("e1", "canary.told", textsOf(told));
    await installation.tutti(["event", "send", "--file", installation.write("event.json", { ...event })]);
    await installation.tutti(["run", "watch", runs.get("listener") ?? ""], { terminal: true });
    // A schedule that is started by two events with the same secret in them: the first one waits in the store while the process dies.
    const unpublished = await installation.tutti(["workflow", "apply", installation.write("secret-schedule.json", refused)]);
    if (unpublished.code === 0) throw new Error("A schedule's filter may not read a secret.");
    await installation.tutti(["workflow", "apply", installation.write("scheduled.json", scheduled)]);
    const enabled = await installation.tutti(["schedule", "enable", "canary/scheduled"]);
    if (enabled.code !== 0) throw new Error(enabled.text);
    await withService(installation, async (service) => service.acceptEvent(heardEvent("e2", "canary.first", textsOf(told))));
    // A process that dies while a program that has told its secret still runs.
    const asleep = await installation.tutti(["run", "start", "--detach", installation.write("sleeper.json", SLEEPER(sleeping.name))]);
    runs.set("sleeper", runIdIn(asleep.text));
    const untilMs = performance.now() + AWAKE_MS_MAX;
    while (!(await installation.tutti(["run", "logs", runs.get("sleeper") ?? ""])).text.includes("awake")) {
      if (performance.now() > untilMs) throw new Error("The log of a program that sleeps does not show its last line.");
      watcher.look();
    }
    await installation.end("SIGKILL");
    await installation.start();
    const stash = await installation.tutti(["run", "start", "--wait", installation.write("stash.json", stashReader(hostile.origin))], {
      terminal: true,
    });
    runs.set("stash", runIdIn(stash.text));
    await withService(installation, async (service) => {
      await service.acceptEvent(heardEvent("e3", "canary.second", textsOf(told)));
      runs.set("scheduled", await untilStarted(service, "canary/scheduled"));
    });
    await untilTold(listener, runs.get("scheduled") ?? "");
    await lookAtEverything(installation, runs);
    await installation.tutti(["admin", "backup", backup, "--logs"]);
    await installation.tutti(["admin", "doctor"]);
    await untilTold(listener, runs.get("stash") ?? "");
    watcher.stop();
    scanner = new Scanner(canaries.all);
  }, 1_000_000);

  afterAll(async () => {
    watcher.stop();
    await installation.remove();
    await world.stop();
    await listener.stop();
  });

  test("hundreds of secrets were used, and arrived", () => {
    expect(canaries.all.length).toBeGreaterThan(300);
    expect(world.server.heard).toBeGreaterThan(200);
  });

  test("in the data directory while the process lives", () => {
    const { leaks, bytes } = scanner.scanDirectory(installation.data, isSecretsFolder);
    expect(bytes).toBeGreaterThan(1_000_000);
    expect(tell(leaks)).toBe("");
  });

  test("in a backup with logs", () => {
    const { leaks, bytes } = scanner.scanDirectory(backup);
    expect(bytes).toBeGreaterThan(1_000_000);
    expect(tell(leaks)).toBe("");
  });

  test("in anything that a command or the process itself says, plain, as JSON and on a terminal", () => {
    expect(installation.said.size).toBeGreaterThan(40);
    expect(tell([...installation.said].flatMap(([label, text]) => scanner.scan(label, text)))).toBe("");
  });

  test("in the traces and lifecycle events that are sent, and in the log file", () => {
    expect([...listener.heard.keys()].toSorted()).toEqual(["/sink", "/v1/traces"]);
    expect(listener.requests).toBeGreaterThan(1000);
    for (const [path, text] of listener.heard) expect(tell(scanner.scan(`what was sent to ${path}`, text))).toBe("");
    const log = readFileSync(installation.logFile, "utf8");
    expect(log.split("\n").length).toBeGreaterThan(500);
    expect(tell(scanner.scan("the log file", log))).toBe("");
  });

  test("in the arguments of a process or a temporary file, at any moment", () => {
    expect(watcher.looks).toBeGreaterThan(100);
    expect([...watcher.commands].some((command) => command.includes("command.sh"))).toBe(true);
    expect(tell(watcher.leaks)).toBe("");
  });

  test("in the data directory and the temporary one after the process has ended", async () => {
    await installation.tutti(["run", "kill", runs.get("sleeper") ?? "", "--reason", "over"]);
    await installation.end("SIGTERM");
    expect(tell(scanner.scanDirectory(installation.data, isSecretsFolder).leaks)).toBe("");
    expect(tell(scanner.scanDirectory(installation.temporary).leaks)).toBe("");
  });

  test("and each place is one where it would be found, in every encoding", async () => {
    const [canary] = canaries.all.filter(({ kind }) => kind === "special");
    const text = textsOf(canary ?? canaries.make("special"))[0] ?? "";
    for (const [name, encode] of Object.entries(ENCODINGS)) {
      const leaked = encode(text);
      const inFile = join(installation.data, "logs", "planted");
      mkdirSync(join(installation.data, "logs"), { recursive: true });
      writeFileSync(inFile, leaked);
      const [leak, ...others] = scanner.scanDirectory(installation.data, isSecretsFolder).leaks;
      expect({ name, where: leak?.where, others }).toEqual({ name, where: inFile, others: [] });
      writeFileSync(inFile, "");
      expect({ name, found: scanner.scan("said", `some words ${leaked} more`).length }).toEqual({ name, found: 1 });
    }
    writeFileSync(join(backup, "planted"), Buffer.from(text, "utf16le"));
    expect(scanner.scanDirectory(backup).leaks).toMatchObject([{ encoding: "UTF-16" }]);
    const database = new DatabaseSync(
      join(installation.data, readdirSync(installation.data).find((name) => name.endsWith(".db") && name !== "owner.db") ?? ""),
    );
    database.exec("CREATE TABLE planted (text)");
    database.prepare("INSERT INTO planted VALUES (?)").run(text);
    database.close();
    expect(scanner.scanDirectory(installation.data, isSecretsFolder).leaks).not.toEqual([]);
    const planted = new Watcher(new Scanner(canaries.all), installation.temporary);
    writeFileSync(join(installation.temporary, "planted"), text);
    const child = spawn(process.execPath, ["-e", "setInterval(() => undefined, 1000)", text.slice(0, 12)]);
    await once(child, "spawn");
    planted.look();
    planted.stop();
    child.kill("SIGKILL");
    expect(planted.leaks.map(({ where }) => where)).toEqual([expect.stringContaining("arguments"), expect.stringContaining("planted")]);
  });
});

test("without the redactor the same test finds leaks in every place", async () => {
  const canaries = new Canaries();
  const world = new HostileWorld(canaries);
  const listener = new Listener();
  const installation = new Installation({ preload: WITHOUT_REDACTOR, listener: await listener.start() });
  try {
    const hostile = await world.start();
    installation.set({ containers: { engine: await world.startEngine(installation.home) } });
    const few = canaryWorkflows(canaries, hostile).filter(({ name }) => FAULTED.includes(name));
    const scheduled = scheduledWorkflow(canaries, hostile);
    const told = canaries.make("special");
    installation.keep(canaries.all);
    await installation.start();
    const runs = new Map<string, string>();
    const byCommand = few.filter(({ name }) => ["faulted-http", "faulted-shell"].includes(name));
    for (const { name, document } of byCommand) {
      const said = await installation.tutti(["run", "start", "--wait", installation.write(`${name}.json`, document)]);
      runs.set(name, runIdIn(said.text));
    }
    await withService(installation, async (service) => {
      for (const { name, document } of few.filter((one) => !byCommand.includes(one))) {
        await service.publish({ text: JSON.stringify(document) });
        const started = { namespace: "canary", name, version: "latest", input: {}, actor: "test" };
        runs.set(name, (await service.startRun(started)).runId);
        await service.waitFor(runs.get(name) ?? "", "parked", AbortSignal.timeout(TOLD_MS_MAX));
      }
      await service.publish({ text: JSON.stringify(scheduled) });
      await service.setSchedule("canary", "scheduled", true);
      for (const type of ["canary.first", "canary.second"]) await service.acceptEvent(heardEvent(type, type, textsOf(told)));
      runs.set("scheduled", await untilStarted(service, "canary/scheduled"));
    });
    await untilTold(listener, runs.get("scheduled") ?? "");
    await lookAtEverything(installation, runs);
    await installation.tutti(["admin", "backup", join(installation.home, "backup"), "--logs"]);
    const scanner = new Scanner(canaries.all);
    const places = scanner.scanDirectory(installation.data, isSecretsFolder).leaks.map(({ where }) => where);
    expect(places.some((place) => place.includes("/logs/"))).toBe(true);
    expect(places.some((place) => place.includes(".db"))).toBe(true);
    expect(scanner.scanDirectory(join(installation.home, "backup")).leaks).not.toEqual([]);
    expect(scanner.scan("the sink", listener.heard.get("/sink") ?? "")).not.toEqual([]);
    const said = [...installation.said].flatMap(([label, text]) => scanner.scan(label, text)).map(({ where }) => where);
    expect(["run show", "run logs", "run events", "the socket"].filter((label) => !said.some((where) => where.includes(label)))).toEqual(
      [],
    );
    // What each of them told on is found by itself.
    expect([...FAULTED, "scheduled"].filter((name) => !said.includes(`the socket about ${name}`))).toEqual([]);
  } finally {
    await installation.remove();
    await world.stop();
    await listener.stop();
  }
}, 600_000);

/** Asks the process that drives, by its socket. */
async function withService<T>(installation: Installation, ask: (service: LinkedService) => Promise<T>): Promise<T> {
  const directory = resolveDataDirectory({ flag: installation.data, environment: {}, currentDirectory: "/" });
  const service = await LinkedService.open({ directory, drive: "asked", environment: {}, report: () => undefined });
  try {
    return await ask(service);
  } finally {
    await service.close();
  }
}

/** The run that the schedule of a workflow has started. */
async function untilStarted(service: LinkedService, workflow: string): Promise<string> {
  const untilMs = performance.now() + TOLD_MS_MAX;
  for (;;) {
    const [run] = (await service.list({ label: { key: "schedule", value: workflow }, limit: 1 })).runs;
    if (run !== undefined) return run.runId;
    if (performance.now() > untilMs) throw new Error(`The schedule of ${workflow} has started no run.`);
    await pause(50);
  }
}

/** The events of the run have been sent, and so has what was committed long before it. */
async function untilTold(listener: Listener, runId: string): Promise<void> {
  const untilMs = performance.now() + TOLD_MS_MAX;
  const isTold = (): boolean =>
    (listener.heard.get("/sink") ?? "")
      .split("\n")
      .some((line) => line.includes(runId) && /workflow\.(?:completed|faulted)\.v1/.test(line));
  while (!isTold()) {
    if (performance.now() > untilMs) throw new Error(`The sink was not told the end of ${runId}.`);
    await pause(50);
  }
}

/** What the socket answers about every run, and the commands that show something for one that failed and one that did not. */
async function lookAtEverything(installation: Installation, runs: ReadonlyMap<string, string>): Promise<void> {
  const signal = new AbortController().signal;
  await withService(installation, async (service) => {
    for (const [name, run] of runs) {
      const logs = [];
      for await (const line of service.logs(run, { task: undefined, follow: false, signal })) logs.push(line);
      const answers = [
        await service.show(run),
        await service.records(run, 1, 10_000),
        await service.lifecycleEvents(run),
        await service.loadRow(run),
        logs,
      ];
      installation.said.set(`the socket about ${name}`, JSON.stringify(answers));
    }
    const others = [await service.listEvents(100), await service.listSchedules(), await service.listProviders(), await service.diagnose()];
    installation.said.set("the socket about events", JSON.stringify(others));
  });
  const shown = ["programs", "faulted-shell"].map((name) => runs.get(name)).filter((run) => run !== undefined);
  const looks = shown.flatMap((run) => [
    ["run", "show", run],
    ["run", "show", run, "--json"],
    ["run", "logs", run],
    ["run", "events", run, "--json"],
    ["run", "events", run, "--lifecycle"],
  ]);
  looks.push(["run", "list"], ["run", "list", "--json"], ["event", "list", "--json"]);
  const next = looks.values();
  const failed: string[] = [];
  const lookNext = async (): Promise<void> => {
    for (const words of next) if ((await installation.tutti(words)).code !== 0) failed.push(words.join(" "));
  };
  await Promise.all([lookNext(), lookNext()]);
  expect(failed).toEqual([]);
  await installation.tutti(["run", "show", shown[0] ?? ""], { terminal: true });
}
