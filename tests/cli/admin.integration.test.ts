import { afterEach, expect, test, vi } from "vitest";
import { tutti, TuttiProcess, workDirectory } from "./tutti-process.ts";

const HELLO = `document: { dsl: 1.0.3, namespace: default, name: hello, version: 1.0.0 }
do:
  - greet:
      run: { shell: { command: "echo hello" } }
      metadata: { tutti: { effect: { class: idempotent } } }
`;

const started: TuttiProcess[] = [];
afterEach(async () => {
  for (const each of started.splice(0)) {
    each.child.kill("SIGKILL");
    await each.ended;
  }
});

// Every command is a process of its own; on a machine under load each may take seconds.
vi.setConfig({ testTimeout: 480_000 });

test("prune: a dry run says what would go, the real one deletes it, also through the process that drives", async () => {
  const directory = workDirectory({ "hello.yaml": HELLO });
  expect(await tutti(directory, ["run", "start", "hello.yaml"])).toMatchObject({ code: 0 });
  const dry = await tutti(directory, ["admin", "prune", "--older-than", "1ms", "--dry-run"]);
  expect(dry).toMatchObject({ code: 0, error: "" });
  expect(dry.out).toContain("Would delete 1 finished run");
  expect(dry.out).toContain("default/hello");
  const up = new TuttiProcess(directory, ["up", "--keep-runs", "forever"]);
  started.push(up);
  await up.says("drives all runs");
  expect((await tutti(directory, ["admin", "prune", "--older-than", "1ms"])).out).toContain("Deleted 1 finished run;");
  expect((await tutti(directory, ["run", "show", "@latest"])).error).toContain("no run");
  expect((await tutti(directory, ["admin", "doctor", "--json"])).code).toBe(0);
});

test("a time that is none is refused by name", async () => {
  const directory = workDirectory({});
  expect(await tutti(directory, ["up", "--keep-runs", "long"])).toMatchObject({
    code: 2,
    error: expect.stringContaining("--keep-runs") as string,
  });
  expect(await tutti(directory, ["up"], { TUTTI_KEEP_LOGS: "P1" })).toMatchObject({ code: 2 });
});
