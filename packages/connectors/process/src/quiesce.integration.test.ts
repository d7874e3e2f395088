import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Token } from "@tutti/model/schemas";
import { afterEach, beforeEach, expect, test } from "vitest";
import { sweepLeftFiles } from "./left-files.ts";
import { endProcessesOf } from "./left-processes.ts";

const before = process.env["TMPDIR"];
let directory: string;
const token = Token.parse(`tok_${`a${process.pid}`.padStart(32, "0")}`);
const other = Token.parse(`tok_${`b${process.pid}`.padStart(32, "0")}`);

// A temporary directory of its own: whatever else runs on this machine sweeps the common one of what dead processes left there.
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "quiesce-test-"));
  process.env["TMPDIR"] = join(directory, "tmp");
  mkdirSync(process.env["TMPDIR"]);
});
afterEach(async () => {
  await endProcessesOf(token);
  await endProcessesOf(other);
  if (before === undefined) delete process.env["TMPDIR"];
  else process.env["TMPDIR"] = before;
  rmSync(directory, { recursive: true });
});

function processesOf(marked: Token): string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/environ`, "latin1").includes(`TUTTI_TOKEN=${marked}\0`);
    } catch {
      return false;
    }
  });
}

/** Starts a process that runs a shell task, kills it with -9 once the task is under way, and returns when it is dead. */
async function killOwnerDuring(command: string, marked: Token): Promise<void> {
  const program = join(directory, `${marked}.mjs`);
  writeFileSync(
    program,
    `import { processConnector } from ${JSON.stringify(import.meta.resolve("./index.ts"))};
     import { attemptForTests } from ${JSON.stringify(import.meta.resolve("@tutti/connector-kit"))};
     const attempt = attemptForTests({ token: ${JSON.stringify(marked)} });
     const log = attempt.log;
     attempt.log = (stream, text) => { log(stream, text); process.stdout.write(text + "\\n"); };
     await processConnector().functions["run.shell"].run({ shell: { command: ${JSON.stringify(command)} } }, attempt);`,
  );
  const owner = spawn(process.execPath, [program], { stdio: ["ignore", "pipe", "inherit"] });
  await once(owner.stdout, "data");
  owner.kill("SIGKILL");
  await once(owner, "close");
}

test("what a killed owner left running is ended, with its files; others' processes and files are not touched", async () => {
  await killOwnerDuring("setsid sleep 100 & bash -c 'trap \"\" TERM; while :; do sleep 0.05; done' & echo up; wait", token);
  await killOwnerDuring("echo up; sleep 100", other);
  // The control: killing the owner alone leaves all of it running. A process has no environment for a moment while it becomes another program.
  while (processesOf(token).length < 3) await sleep(10);
  expect(readdirSync(tmpdir()).filter((name) => name.includes(token))).toHaveLength(1);

  await endProcessesOf(token);
  expect(processesOf(token)).toEqual([]);
  expect(readdirSync(tmpdir()).filter((name) => name.includes(token))).toEqual([]);
  expect(processesOf(other).length).toBeGreaterThan(0);
  expect(readdirSync(tmpdir()).filter((name) => name.includes(other))).toHaveLength(1);
});

test("the next process removes what a dead one left on the disk, but nothing of what still runs", async () => {
  const left = (marked: Token): number => readdirSync(tmpdir()).filter((name) => name.includes(marked)).length;
  await killOwnerDuring("echo up; sleep 100", other);
  await killOwnerDuring("echo up; sleep 100", token);
  for (const pid of processesOf(token)) process.kill(Number(pid), "SIGKILL");
  while (processesOf(token).length > 0) await sleep(10);
  expect([left(token), left(other)]).toEqual([1, 1]);
  await sweepLeftFiles();
  expect([left(token), left(other)]).toEqual([0, 1]);
});

test("a process that forks on while it is being ended does not get away", async () => {
  await killOwnerDuring('echo up; f() { sleep 0.05; f & }; trap "" TERM; f; wait', token);
  await endProcessesOf(token);
  expect(processesOf(token)).toEqual([]);
});

test("with nothing left it returns at once", async () => {
  await endProcessesOf(Token.parse(`tok_${"f".repeat(32)}`));
});
