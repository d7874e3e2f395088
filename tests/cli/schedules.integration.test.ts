import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { tutti, TuttiProcess, workDirectory } from "./tutti-process.ts";

// Every command is a process of its own; on a machine under load each may take seconds.
vi.setConfig({ testTimeout: 480_000 });

const PAGE = readFileSync(join(import.meta.dirname, "../../docs/schedules.md"), "utf8");
const EVERY_SECOND = `document: { dsl: 1.0.3, namespace: default, name: tick, version: 1.0.0 }
schedule: { every: PT1S }
do:
  - note: { set: { x: 1 } }
`;
const ON_ALARM = `document: { dsl: 1.0.3, namespace: default, name: nurse, version: 1.0.0 }
schedule: { on: { one: { with: { type: alarm } } } }
do:
  - note: { set: { level: '\${ .[0].level }' } }
`;

const started: TuttiProcess[] = [];
afterEach(async () => {
  for (const each of started.splice(0)) {
    each.child.kill("SIGKILL");
    await each.ended;
  }
});

function block(language: string): string {
  return new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``).exec(PAGE)?.[1] ?? "";
}

test("the commands of the page about schedules work on its workflow", async () => {
  const directory = workDirectory({ "backup.yaml": block("yaml") });
  const commands = block("sh")
    .split("\n")
    .filter((line) => line.startsWith("tutti "))
    .map((line) =>
      line
        .replace(/ +#.*$/, "")
        .split(" ")
        .slice(1),
    );
  expect(commands.length).toBeGreaterThan(6);
  const outputs: string[] = [];
  for (const words of commands) {
    const done = await tutti(directory, words);
    expect([words.join(" "), done.code, done.code === 0 ? "" : done.error]).toEqual([words.join(" "), 0, ""]);
    outputs.push(done.out);
  }
  // Five coming nights, by the clock in Berlin.
  expect(outputs[1]?.trim().split("\n")).toHaveLength(5);
  expect(outputs[1]).toMatch(/T0[01]:30:00\.000Z {2}\w{3}, \d\d\/\d\d\/\d{4},? 02:30:00/);
  expect(outputs[3]).toMatch(/ops\/backup:1\.0\.0 +enabled/);
  expect(outputs[6]).toContain("completed");
  expect(outputs[7]).toContain("off;");
});

test("runs start by the clock and by events while `tutti up` runs, also after it was killed", async () => {
  const directory = workDirectory({ "tick.yaml": EVERY_SECOND, "nurse.yaml": ON_ALARM });
  const start = (): TuttiProcess => {
    const up = new TuttiProcess(directory, ["up"]);
    started.push(up);
    return up;
  };
  await tutti(directory, ["workflow", "apply", "tick.yaml", "nurse.yaml"]);
  const first = start();
  await first.says("drives all runs");
  for (const name of ["tick", "nurse"]) expect(await tutti(directory, ["schedule", "enable", name])).toMatchObject({ code: 0 });
  await first.says("default/tick");
  await tutti(directory, ["event", "send", "--type", "alarm", "--payload", '{"level":7}']);
  await first.says("default/nurse");
  first.child.kill("SIGKILL");
  await first.ended;
  const second = start();
  await second.says("default/tick");
  expect(await tutti(directory, ["schedule", "disable", "tick"])).toMatchObject({ code: 0 });
  const listed = JSON.parse(
    (await tutti(directory, ["run", "list", "--label", "schedule=default/tick", "--limit", "100", "--json"])).out,
  ) as {
    readonly runs: readonly { readonly labels: Readonly<Record<string, string>> }[];
  };
  const instants = listed.runs.map((run) => run.labels["scheduledAt"]);
  expect(new Set(instants).size).toBe(instants.length);
  expect(instants.length).toBeGreaterThan(1);
  const nurse = JSON.parse((await tutti(directory, ["schedule", "show", "nurse", "--json"])).out) as {
    readonly last: { readonly runId: string };
  };
  expect(JSON.parse((await tutti(directory, ["run", "show", nurse.last.runId, "--json"])).out)).toMatchObject({ output: { level: 7 } });
});

test("what has no schedule, or no such name, is told with the way out", async () => {
  const directory = workDirectory({ "plain.yaml": "" });
  writeFileSync(join(directory, "plain.yaml"), EVERY_SECOND.replace("schedule: { every: PT1S }\n", "").replace("tick", "plain"));
  await tutti(directory, ["workflow", "apply", "plain.yaml"]);
  const refused = await tutti(directory, ["schedule", "enable", "plain"]);
  expect(refused.code).toBe(2);
  expect(refused.error).toContain("has no schedule");
  expect((await tutti(directory, ["schedule", "show", "nobody"])).error).toContain("workflow list");
  expect((await tutti(directory, ["schedule", "list"])).error).toContain("No published workflow has a schedule");
});
