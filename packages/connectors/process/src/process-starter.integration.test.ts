import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { attemptForTests, type ConnectorFunction } from "@tutti/connector-kit";
import { Token } from "@tutti/model/schemas";
import { afterEach, beforeEach, expect, test } from "vitest";
import { endProcessesOf } from "./left-processes.ts";
import { processConnector } from "./process-connector.ts";
import { ProcessStarter } from "./process-starter.ts";

const before = process.env["TMPDIR"];
const token = Token.parse(`tok_${`c${process.pid}`.padStart(32, "0")}`);
let directory = "";
let starter: ProcessStarter;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "starter-test-"));
  process.env["TMPDIR"] = join(directory, "tmp");
  mkdirSync(process.env["TMPDIR"]);
  starter = new ProcessStarter({ fromBytes: 0 });
});
afterEach(async () => {
  starter.stop();
  await endProcessesOf(token);
  if (before === undefined) delete process.env["TMPDIR"];
  else process.env["TMPDIR"] = before;
  rmSync(directory, { recursive: true });
});

function shell(command: string, how: ProcessStarter = starter, attempt = attemptForTests({ token })): Promise<unknown> {
  const run = processConnector({ starter: how }).functions["run.shell"] as ConnectorFunction;
  return run.run({ shell: { command } }, attempt);
}

/** Processes with this in their environment. */
function processesWith(text: string): number[] {
  return readdirSync("/proc")
    .filter((pid) => /^\d+$/.test(pid))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, "latin1").includes(text);
      } catch {
        return false;
      }
    })
    .map(Number);
}

const startersOf = (pid: number): number[] => processesWith(`.${pid}.`).filter((one) => processesWith("TUTTI_STARTER_OF=").includes(one));

/** A process with a starter of its own that carries out the statements; `shell(command)` runs one. */
function startOwner(statements: string): ChildProcess {
  const program = join(directory, "owner.mjs");
  writeFileSync(
    program,
    `import { processConnector } from ${JSON.stringify(import.meta.resolve("./index.ts"))};
     import { ProcessStarter } from ${JSON.stringify(import.meta.resolve("./process-starter.ts"))};
     import { attemptForTests } from ${JSON.stringify(import.meta.resolve("@tutti/connector-kit"))};
     const starter = new ProcessStarter({ fromBytes: 0 });
     const { functions } = processConnector({ starter });
     const shell = (command) => functions["run.shell"].run({ shell: { command } }, attemptForTests({ token: ${JSON.stringify(token)} }));
     ${statements}`,
  );
  return spawn(process.execPath, [program], { stdio: ["pipe", "pipe", "inherit"] });
}

test("one starter serves all that run at once, and is ended when it has nothing to do", async () => {
  const results = await Promise.all(Array.from({ length: 10 }, () => shell("echo $PPID")));
  expect(new Set(results).size).toBe(1);
  expect(startersOf(process.pid)).toContain(Number(results[0]));
  // Another one: with so little patience there may be a moment without anything to do between two of the ten.
  const hasty = new ProcessStarter({ fromBytes: 0, idleMs: 50 });
  const first = await shell("echo $PPID", hasty);
  while (startersOf(process.pid).includes(Number(first))) await sleep(10);
  expect(await shell("echo $PPID", hasty)).not.toBe(first);
  hasty.stop();
});

test("a starter that somebody ends takes what it has started with it, outcome unknown; the next start has another one", async () => {
  const attempt = attemptForTests({ token });
  const running = shell("echo $PPID; sleep 100", starter, attempt).catch((error: unknown) => error);
  while (attempt.lines.length === 0) await sleep(10);
  process.kill(Number(attempt.lines[0]?.text), "SIGKILL");
  expect(await running).toMatchObject({
    outcome: "unknown",
    message: "The process was ended: the process that starts others for Tutti was ended by somebody else.",
  });
  expect(processesWith(`TUTTI_TOKEN=${token}`)).toEqual([]);
  expect(await shell("echo again")).toBe("again");
});

test("neither the starter nor an order that is done keeps its process from ending", async () => {
  const owner = startOwner(`await shell("true"); process.stdout.write("done");`);
  await once(owner, "close");
  expect(owner.exitCode).toBe(0);
  while (startersOf(owner.pid as number).length > 0) await sleep(10);
});

/** Kills an owner whose starter stands still and has not heard its last order, which would make the file. */
async function killWithOrderUnheard(file: string): Promise<number> {
  // An order is written to its channel when `start` returns.
  const owner = startOwner(
    `const first = await shell("echo $PPID");
     process.stdin.once("data", () => {
       const { start } = ProcessStarter.prototype;
       starter.start = (...order) => {
         const started = start.apply(starter, order);
         process.stdout.write("ordered");
         return started;
       };
       void shell("touch ${file}; sleep 100");
     });
     process.stdout.write(first);`,
  );
  const [pid] = (await once(owner.stdout as NodeJS.ReadableStream, "data")) as [Buffer];
  const starterPid = Number(pid.toString());
  process.kill(starterPid, "SIGSTOP");
  owner.stdin?.write("go");
  await once(owner.stdout as NodeJS.ReadableStream, "data");
  owner.kill("SIGKILL");
  await once(owner, "close");
  return starterPid;
}

const CONTROLS_MAX = 20;

async function controlIsCarriedOut(): Promise<boolean> {
  const file = join(directory, "control");
  const starterPid = await killWithOrderUnheard(file);
  process.kill(starterPid, "SIGCONT");
  const isUnderWay = (): boolean =>
    processesWith("TUTTI_STARTER_OF=").includes(starterPid) || processesWith(`TUTTI_TOKEN=${token}`).length > 0;
  while (!existsSync(file) && isUnderWay()) await sleep(10);
  return existsSync(file);
}

test("an order that a dead Tutti's starter has not heard is never carried out once its attempt was ended", async () => {
  // The control: without that it is. Whoever else ends processes on this machine just then may have taken its starter for an orphan, as it is one.
  let isCarriedOut = false;
  for (let attempt = 0; attempt < CONTROLS_MAX && !isCarriedOut; attempt += 1) isCarriedOut = await controlIsCarriedOut();
  expect(isCarriedOut).toBe(true);

  const file = join(directory, "file");
  // Until it was this test's own end that found the starter.
  let starterPid = await killWithOrderUnheard(file);
  for (let again = 1; again < CONTROLS_MAX && !processesWith("TUTTI_STARTER_OF=").includes(starterPid); again += 1)
    starterPid = await killWithOrderUnheard(file);
  await endProcessesOf(token);
  expect(processesWith("TUTTI_STARTER_OF=")).not.toContain(starterPid);
  expect(processesWith(`TUTTI_TOKEN=${token}`)).toEqual([]);
  expect(existsSync(file)).toBe(false);
});
