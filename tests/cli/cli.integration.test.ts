import { chmodSync, existsSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, expect, test, vi } from "vitest";
import { tutti, TuttiProcess, workDirectory } from "./tutti-process.ts";

const HEAD = (name: string): string => `document: { dsl: 1.0.3, namespace: default, name: ${name}, version: 1.0.0 }\n`;
const SAFE = "metadata: { tutti: { effect: { class: idempotent } } }";

const HELLO = `${HEAD("hello")}do:
  - greet:
      set: { greeting: '\${ "Hello " + .name }' }
`;
/** Fails until the file \`flag\` is there. */
const FLAG = `${HEAD("flag")}do:
  - check:
      run: { shell: { command: "test -f flag && echo fine || { echo missing >&2; exit 3; }" } }
      ${SAFE}
`;
const EVENT = `${HEAD("event")}do:
  - approval:
      listen: { to: { one: { with: { type: com.example.approved } } } }
`;
/** Goes on until the file \`flag\` is there; three steps, so that there is something to kill it between. */
const SLOW = `${HEAD("slow")}do:
  - before:
      run: { shell: { command: "echo before >> effects" } }
      ${SAFE}
  - work:
      run: { shell: { command: "echo work >> effects; until test -f flag; do sleep 0.05; done" } }
      ${SAFE}
  - after:
      run: { shell: { command: "echo after >> effects" } }
      ${SAFE}
`;

const started: TuttiProcess[] = [];
afterEach(async () => {
  for (const each of started.splice(0)) {
    each.child.kill("SIGKILL");
    await each.ended;
  }
});

function start(directory: string, words: readonly string[], environment?: Readonly<Record<string, string>>): TuttiProcess {
  const process = new TuttiProcess(directory, words, environment);
  started.push(process);
  return process;
}

// Every command is a process of its own; on a machine under load each may take seconds.
vi.setConfig({ testTimeout: 480_000 });

const json = (text: string): Record<string, unknown> => JSON.parse(text) as Record<string, unknown>;
const runIdIn = (text: string): string => /run_[0-9a-z]{16}/.exec(text)?.[0] ?? "none";

test("a run is started from a file, shown, listed and told in JSON of a stable shape", async () => {
  const directory = workDirectory({ "hello.yaml": HELLO });
  const done = await tutti(directory, ["run", "start", "hello.yaml", "--set", "name=Ana", "--label", "team=a", "--json"]);
  expect(done).toMatchObject({ code: 0, error: "" });
  const run = json(done.out);
  expect(Object.keys(run)).toEqual([
    "runId",
    "workflow",
    "status",
    "startedAt",
    "endedAt",
    "at",
    "durationMs",
    "seq",
    "labels",
    "parent",
    "input",
    "context",
    "output",
    "error",
    "tasks",
    "waits",
    "doubts",
  ]);
  expect(run).toMatchObject({
    status: "completed",
    labels: { team: "a" },
    parent: null,
    input: { name: "Ana" },
    output: { greeting: "Hello Ana" },
    error: null,
    waits: [],
    doubts: [],
  });
  expect((run["tasks"] as readonly object[]).map((task) => Object.keys(task))).toEqual([
    [
      "task",
      "name",
      "path",
      "kind",
      "status",
      "startedAt",
      "endedAt",
      "durationMs",
      "attempts",
      "token",
      "effect",
      "iteration",
      "extension",
      "visit",
      "output",
      "error",
      "childRunId",
      "children",
      "childrenOmitted",
    ],
  ]);

  const listed = json((await tutti(directory, ["run", "ls", "--json", "--status", "completed", "--label", "team=a"])).out);
  expect(Object.keys((listed["runs"] as readonly object[])[0] ?? {})).toEqual([
    "runId",
    "workflow",
    "status",
    "startedAt",
    "updatedAt",
    "endedAt",
    "wakeAt",
    "seq",
    "inDoubt",
    "errorType",
    "reason",
    "labels",
    "parentRunId",
  ]);
  const shown = await tutti(directory, ["runs", "show", String(run["runId"]).slice(0, 12)]);
  expect(shown.out).toContain('"greeting": "Hello Ana"');
  const missing = await tutti(directory, ["run", "show", "run_zzzz", "--json"]);
  expect(missing.code).toBe(2);
  expect(json(missing.error)).toMatchObject({ error: { code: "run-not-found" } });
  expect(statSync(join(directory, ".tutti")).mode & 0o777).toBe(0o700);
});

test("a failed run says why and what to do; retry goes on, with exit codes that mirror it", async () => {
  const directory = workDirectory({ "flag.yaml": FLAG });
  const failed = await tutti(directory, ["run", "start", "flag.yaml"]);
  const runId = runIdIn(failed.out);
  expect(failed.code).toBe(1);
  expect(failed.out).toContain("/do/check failed");
  expect(failed.out).toContain(`tutti run retry ${runId}`);
  expect((await tutti(directory, ["run", "logs", "@latest", "--raw"])).out).toBe("missing\n");
  expect((await tutti(directory, ["run", "pause", runId, "--dry-run"])).code).toBe(3);

  writeFileSync(join(directory, "flag"), "");
  const retried = await tutti(directory, ["run", "retry", runId, "check", "--reason", "the flag is there"]);
  expect(retried).toMatchObject({ code: 0 });
  expect(retried.out).not.toContain("started: default/flag");
  const events = json((await tutti(directory, ["run", "events", runId, "--json"])).out);
  expect((events["records"] as readonly { record: { type: string } }[]).map(({ record }) => record.type)).toEqual([
    "run-started",
    "attempt-intended",
    "attempt-ended",
    "operator",
    "attempt-intended",
    "attempt-ended",
  ]);
  expect(JSON.stringify(events)).toContain("the flag is there");
});

test("a document with errors starts nothing and makes no data directory", async () => {
  const directory = workDirectory({ "bad.yaml": `${HEAD("bad")}do:\n  - a:\n      set: { x: 1 }\n      then: nowhere\n` });
  const refused = await tutti(directory, ["run", "start", "bad.yaml"]);
  expect(refused.code).toBe(2);
  expect(refused.error).toMatch(/^bad\.yaml:5:13: error: .*nowhere.* \[/);
  expect(existsSync(join(directory, ".tutti"))).toBe(false);
  const linted = await tutti(directory, ["workflow", "lint", "bad.yaml", "--json"]);
  expect(linted.code).toBe(2);
  expect(json(linted.out)).toMatchObject({
    errors: 1,
    files: [{ file: "bad.yaml", findings: [{ severity: "error", line: 5, column: 13 }] }],
  });
});

test("other processes use the owner's socket; when it is killed, the one that waits takes over", async () => {
  const directory = workDirectory({ "slow.yaml": SLOW, "event.yaml": EVENT });
  const owner = start(directory, ["up"]);
  await owner.says("drives all runs");
  expect(statSync(join(directory, ".tutti", "tutti.sock")).mode & 0o777).toBe(0o600);
  expect((await tutti(directory, ["up"])).code).toBe(3);

  const asked = await tutti(directory, ["run", "start", "slow.yaml", "--detach", "--json"]);
  const { runId } = json(asked.out) as { runId: string };
  const waiting = start(directory, ["run", "start", "slow.yaml", "--key", "second", "--wait"]);
  await waiting.says("/do/work started");
  owner.child.kill("SIGKILL");
  await owner.ended;
  writeFileSync(join(directory, "flag"), "");
  expect(await waiting.ended).toMatchObject({ code: 0 });
  // The first run was the dead owner's: it waits for somebody who drives it.
  expect(json((await tutti(directory, ["run", "show", runId, "--json"])).out)["status"]).not.toBe("completed");
  expect((await tutti(directory, ["up", "--until-idle"])).code).toBe(0);
  expect(json((await tutti(directory, ["run", "show", runId, "--json"])).out)["status"]).toBe("completed");
});

test("two processes that start at once get one data directory: one owns, the other asks", async () => {
  const directory = workDirectory({ "hello.yaml": HELLO });
  const both = await Promise.all(
    ["a", "b", "c"].map((name) => tutti(directory, ["run", "start", "hello.yaml", "--set", `name=${name}`, "--wait", "--json"])),
  );
  expect(both.map(({ code, error }) => ({ code, error: error.replace(/^Done\. .*\n/, "") }))).toEqual(
    Array.from({ length: 3 }, () => ({ code: 0, error: "" })),
  );
  const listed = json((await tutti(directory, ["run", "list", "--json"])).out);
  expect(listed["runs"]).toHaveLength(3);
});

test("a run that waits for an event parks, and up delivers the event that came in the meantime", async () => {
  const directory = workDirectory({ "event.yaml": EVENT });
  const parked = await tutti(directory, ["run", "start", "event.yaml"]);
  expect(parked.code).toBe(0);
  expect(parked.out).toContain("The run waits; no process drives it from here on.");
  expect((await tutti(directory, ["run", "watch", "@latest"])).code).toBe(4);
  const sent = await tutti(directory, [
    "event",
    "send",
    "--type",
    "com.example.approved",
    "--id",
    "1",
    "--source",
    "/t",
    "--payload",
    '{"by":"Ana"}',
    "--json",
  ]);
  expect(json(sent.out)).toEqual({ id: "1", source: "/t", position: 1, duplicate: false });
  expect((await tutti(directory, ["up", "--until-idle"])).out).toMatch(/run_[0-9a-z]{16} {2}default\/event:1\.0\.0 {2}completed/);
});

test("Ctrl-C lets go of the run and says how to go on; resume drives it on", async () => {
  const directory = workDirectory({ "slow.yaml": SLOW });
  const running = start(directory, ["run", "start", "slow.yaml"]);
  await running.says("/do/work started");
  const runId = runIdIn(running.out);
  running.child.kill("SIGINT");
  await running.says("tutti run resume");
  running.child.kill("SIGINT");
  expect(await running.ended).toMatchObject({ code: 130 });
  writeFileSync(join(directory, "flag"), "");
  expect(await tutti(directory, ["run", "resume", runId])).toMatchObject({ code: 0 });
});

test("an owner that is alive and silent is reported, and nothing is damaged", async () => {
  const directory = workDirectory({ "event.yaml": EVENT });
  await tutti(directory, ["run", "start", "event.yaml"]);
  const silent = createServer(() => {});
  const path = join(directory, ".tutti", "tutti.sock");
  await new Promise<void>((resolve) => silent.listen(path, resolve));
  const refused = await tutti(directory, ["run", "list", "--json"]);
  await new Promise<void>((resolve) => silent.close(() => resolve()));
  expect(refused.code).toBe(4);
  expect(json(refused.error)).toMatchObject({
    error: { code: "owner-unreachable", message: expect.stringContaining("does not answer within 15 s") },
  });
  expect((await tutti(directory, ["run", "list"])).code).toBe(0);
});

test("the doctor names what is wrong and what to do", async () => {
  const directory = workDirectory({ "event.yaml": EVENT });
  await tutti(directory, ["run", "start", "event.yaml"]);
  chmodSync(join(directory, ".tutti", "secrets"), 0o755);
  const found = json((await tutti(directory, ["admin", "doctor", "--json"])).out) as unknown as {
    checks: readonly { name: string; status: string; fix: string | null }[];
  };
  expect(found.checks.find((check) => check.name === "secrets")).toMatchObject({
    status: "problem",
    fix: expect.stringContaining("chmod 700"),
  });
  expect(found.checks.map((check) => check.name)).toEqual(expect.arrayContaining(["node", "disk", "owner", "store", "runs", "functions"]));
});

test("a data directory with a very long path works the same", async () => {
  const directory = workDirectory({ "hello.yaml": HELLO });
  const data = join(directory, "d".repeat(60), "e".repeat(60));
  const owner = start(directory, ["up", "--data", data], { XDG_RUNTIME_DIR: directory });
  await owner.says("drives all runs");
  expect(
    await tutti(directory, ["run", "start", "hello.yaml", "--set", "name=x", "--wait", "--data", data], { XDG_RUNTIME_DIR: directory }),
  ).toMatchObject({ code: 0 });
  owner.child.kill("SIGTERM");
  expect(await owner.ended).toMatchObject({ code: 0, signal: null });
});

test("who watches is told when the owner ends, and does not become an owner that drives nothing", async () => {
  const directory = workDirectory({ "slow.yaml": SLOW });
  const owner = start(directory, ["up"]);
  await owner.says("drives all runs");
  const { runId } = json((await tutti(directory, ["run", "start", "slow.yaml", "--json"])).out) as { runId: string };
  const watching = start(directory, ["run", "watch", runId]);
  await watching.says("/do/work started");
  owner.child.kill("SIGKILL");
  const ended = await watching.ended;
  expect(ended.code).toBe(4);
  expect(ended.error).toMatch(/^error The process that drove the runs has ended; nobody drives them now\. {2}\[owner-unreachable\]\n/);
  writeFileSync(join(directory, "flag"), "");
  expect((await tutti(directory, ["up", "--until-idle"])).code).toBe(0);
});

test("an effect that was interrupted is settled by a person, from the command line", async () => {
  const pay = `${HEAD("pay")}do:\n  - pay:\n      call: account.transfer:1@bank\n      with: { account: alice, amount: 5 }\n`;
  const directory = workDirectory({ "pay.yaml": pay });
  const bank = { TUTTI_TEST_BANK: join(directory, "bank") };
  const killed = await tutti(directory, ["run", "start", "pay.yaml"], { ...bank, TUTTI_CRASH_POINT: "attempt.after" });
  expect(killed.signal).toBe("SIGKILL");
  const resumed = await tutti(directory, ["run", "resume", "@latest"], bank);
  expect(resumed.code).toBe(1);
  expect(resumed.out).toContain("The run waits for a person.");
  expect(
    (await tutti(directory, ["run", "settle", "@latest", "pay", "--done"], { ...bank, TUTTI_DATA: join(directory, "other") })).code,
  ).toBe(2);
  const seen = /--done --output FILE --seen (\d+)/.exec(resumed.out)?.[1];
  expect(Number(seen)).toBeGreaterThan(1);
  const early = await tutti(directory, ["run", "settle", "@latest", "pay", "--done", "--seen", "1"], bank);
  expect(early).toMatchObject({ code: 3, error: expect.stringContaining("came to be in doubt after what you have seen") });
  const settled = await tutti(
    directory,
    ["run", "settle", "@latest", "pay", "--done", "--seen", String(seen), "--value", '{"paid":5}', "--json"],
    bank,
  );
  expect(settled.code).toBe(0);
  expect(json(settled.out)).toMatchObject({ status: "completed", output: { paid: 5 } });
});

test("who waits for a run that is in doubt is told why and how to settle it, and does not wait for ever", async () => {
  // Takes each payment and hangs up without an answer.
  const server = createServer((socket) => socket.on("error", () => undefined).once("data", () => socket.destroy()));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const pay = `pay: { call: http, with: { method: post, endpoint: http://127.0.0.1:${port}/pay, body: { amount: 5 } } }`;
  const directory = workDirectory({ "pay.yaml": `${HEAD("pay")}do: [ { ${pay} } ]\n` });
  const settle = /tutti run settle run_\w+ \/do\/pay --done --output FILE/;
  const waited = await tutti(directory, ["run", "start", "pay.yaml", "--wait", "--timeout", "60s"]);
  expect(waited).toMatchObject({ code: 1, signal: null });
  expect(waited.out).toContain("The run waits for a person.");
  expect(waited.out).toContain("/do/pay  is in doubt: nobody knows whether its effect happened (The connection to 127.0.0.1");
  expect(waited.out).toMatch(settle);
  const looked = await tutti(directory, ["run", "watch", "@latest", "--timeout", "60s"]);
  expect(looked).toMatchObject({ code: 1 });
  expect(looked.out).toMatch(settle);
  expect(looked.error).toContain("The run waits for a person, so there is nothing to watch.");
  const owner = start(directory, ["up"]);
  await owner.says("drives all runs");
  const watched = await tutti(directory, ["run", "watch", "@latest", "--timeout", "60s"]);
  expect(watched).toMatchObject({ code: 1 });
  expect(watched.out).toContain("The run waits for a person.");
  expect(watched.out).toMatch(settle);
  server.close();
});

test("explain says why a task did not run and what another waits for; show --at goes back to a record or a moment", async () => {
  const directory = workDirectory({
    "choice.yaml": `${HEAD("choice")}do:
  - pick:
      switch: [ { big: { when: .total > 50, then: large } }, { other: { then: small } } ]
  - small: { set: { size: small }, then: exit }
  - large: { set: { size: large } }
  - approval: { listen: { to: { one: { with: { type: com.example.approved } } } } }
`,
  });
  expect((await tutti(directory, ["run", "start", "choice.yaml", "--set", "total=70"])).code).toBe(0);
  expect((await tutti(directory, ["event", "send", "--type", "com.example.other", "--source", "test"])).code).toBe(0);
  const small = await tutti(directory, ["run", "explain", "@latest", "small"]);
  expect(small).toMatchObject({ code: 0, error: "" });
  expect(small.out).toMatch(
    /^\/do\/small {2}set {2}not-reached\n {2}Control went past it\. The switch \/do\/pick took the case big \(`\.total > 50` held\)[^]*\nYou can\n {2}tutti run explain run_\w+ \/do\/pick/,
  );
  const waits = await tutti(directory, ["run", "explain", "@latest", "--json"]);
  expect(json(waits.out)).toMatchObject({
    status: "waiting",
    tasks: [{ path: "/do/approval", status: "waiting", wait: { kind: "event" }, events: [{ type: "com.example.other", isTaken: false }] }],
  });
  const pick = json((await tutti(directory, ["run", "explain", "@latest", "pick", "--json"])).out);
  expect(pick).toMatchObject({
    tasks: [
      {
        status: "completed",
        reasons: [{}, { condition: { source: ".total > 50", holds: true, reads: [{ from: ".total", value: 70 }] } }, {}, {}],
      },
    ],
  });
  const trace = await tutti(directory, ["run", "trace", "@latest"]);
  expect(json(trace.out)).toMatchObject({ resourceSpans: [{ scopeSpans: [{ spans: [{ name: "pick", links: [] }, { name: "large" }] }] }] });
  const first = json((await tutti(directory, ["run", "show", "@latest", "--at", "1", "--json"])).out);
  expect(first).toMatchObject({ seq: 1, status: "waiting" });
  const moment = await tutti(directory, ["run", "show", "@latest", "--at", String(first["at"]), "--json"]);
  expect(json(moment.out)).toMatchObject({ seq: 1 });
  expect((await tutti(directory, ["run", "show", "@latest", "--at", "99"])).error).toMatch(/has records 1 to 1; there is no record 99/);
  expect((await tutti(directory, ["run", "show", "@latest", "--at", "1999-01-01"])).error).toMatch(/began at .*, after 1999-01-01/);
  expect((await tutti(directory, ["run", "show", "@latest", "--at", "yesterday"])).code).toBe(2);
  expect((await tutti(directory, ["run", "explain", "@latest", "nothing"])).error).toMatch(
    /There is no task "nothing"; there are: \/do\/pick/,
  );
});

test("up writes a log of JSON lines alone on standard error, and refuses a format that it does not have", async () => {
  const directory = workDirectory({ "flag.yaml": FLAG });
  expect((await tutti(directory, ["run", "start", "flag.yaml"])).code).toBe(1);
  const up = start(directory, ["up", "--log-format", "json", "--log-level", "debug", "--metrics", "127.0.0.1:0"]);
  await up.says('"event":"process.started"');
  writeFileSync(join(directory, "flag"), "");
  const runId = runIdIn((await tutti(directory, ["run", "list", "--json"])).out);
  expect((await tutti(directory, ["run", "retry", runId, "check", "--reason", "the flag is there", "--wait"])).code).toBe(0);
  up.child.kill("SIGTERM");
  const { error } = await up.ended;
  const lines = error.trim().split("\n").map(json);
  const told = lines.filter((line) => line["runId"] === runId).map((line) => line["event"]);
  expect(told).toEqual(expect.arrayContaining(["run.operated", "attempt.intended", "attempt.completed", "run.changed"]));
  expect(lines.at(-1)).toMatchObject({ event: "process.stopped", level: "info" });
  expect(error).not.toContain("the flag is there");
  const refused = await tutti(directory, ["up", "--log-format", "xml"]);
  expect(refused).toMatchObject({ code: 2 });
  expect(refused.error).toMatch(/--log-format takes json or text/);
});

test("up writes its log into a file, and into a new one after SIGHUP; standard error stays for people", async () => {
  const directory = workDirectory({ "hello.yaml": HELLO });
  const up = start(directory, ["up", "--log-file", "up.log"]);
  await up.says("drives all runs");
  const file = join(directory, "up.log");
  renameSync(file, `${file}.1`);
  up.child.kill("SIGHUP");
  const untilMs = performance.now() + 120_000;
  while (!existsSync(file) && performance.now() < untilMs) await pause(20);
  const runId = runIdIn((await tutti(directory, ["run", "start", "--wait", "hello.yaml", "--set", "name=Ana", "--json"])).out);
  up.child.kill("SIGTERM");
  const { code, error } = await up.ended;
  const events = (path: string): readonly unknown[] =>
    readFileSync(path, "utf8")
      .trim()
      .split("\n")
      .map((line) => json(line)["event"]);
  expect(code).toBe(0);
  expect(error).not.toContain(runId);
  expect(events(`${file}.1`)).toEqual(["process.started"]);
  expect(events(file)).toEqual(["run.started", "run.changed", "process.stopping", "process.stopped"]);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect((await tutti(directory, ["up", "--log-file", "none/up.log"])).error).toMatch(/log file .*none\/up\.log can't be opened: ENOENT/);
});
