import { spawn } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { differencesFromOneDeployment } from "../../examples/deploy-server/inventory.ts";
import { type Fault, FaultPlan, FAULTS } from "../../examples/deploy-server/fakes/fault.ts";
import { programFile } from "../../scripts/programs.mjs";
import { controlDocument, withTicketEffect } from "../../lab/control-document.ts";
import { DOCUMENT, type FakeDeployment, impatientDocument, prepare } from "./fake-deployment.ts";
import { type CaseResult, runCase } from "./run-case.ts";

/** Cases at a time, over all tests: most of one is waiting for small processes and for answers that never come. */
const CASES_AT_A_TIME = 8;
const SUITE_LIMIT_MS = 4_500_000;
const RUN_PROCESS = "tests/deploy-server/run-process.ts";
/** A deployment of fewer requests or records would mean that the cases below test nothing. */
const REQUESTS_MIN = 25;
const RECORDS_MIN = 30;

/** Room for so many cases; the others wait their turn, first in, first out. */
class Lanes {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  async enter(): Promise<void> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free++;
    else next();
  }
}
const lanes = new Lanes(CASES_AT_A_TIME);

test("an undisturbed deployment completes, each effect once", { timeout: SUITE_LIMIT_MS }, async () => {
  const deployment = await prepare({ document: DOCUMENT });
  const result = await runCase(deployment.caseFile, deployment.environment);
  expect(disturbances(deployment, result)).toEqual([]);
  expect(deployment.world.plan.seen.length).toBeGreaterThan(REQUESTS_MIN);
  await deployment.close();
});

test.concurrent.each(FAULTS)(
  "%s, at each request in turn: the deployment completes, each effect once",
  { timeout: SUITE_LIMIT_MS },
  async (fault) => {
    const { requests, contents } = await undisturbed();
    const problems = await atEach(requests, (position) => faultCase(position, fault, contents));
    expect(problems).toEqual([]);
  },
);

test.concurrent("killed at each record in turn: the deployment completes, each effect once", { timeout: SUITE_LIMIT_MS }, async () => {
  const { records, contents } = await undisturbed();
  expect(records).toBeGreaterThan(RECORDS_MIN);
  const problems = await atEach(records, (seq) => killCase({ TUTTI_CRASH_AT_SEQ: String(seq) }, contents));
  expect(problems).toEqual([]);
});

test(
  "killed after each answer in turn, before it is recorded: the deployment completes, each effect once",
  { timeout: SUITE_LIMIT_MS },
  async () => {
    const { attempts, contents } = await undisturbed();
    const problems = await atEach(attempts, (hit) => killCase({ TUTTI_CRASH_POINT: `attempt.after:${hit}` }, contents));
    expect(problems).toEqual([]);
  },
);

test.concurrent(
  "one run killed at each position as it is first reached: it completes, each effect once",
  { timeout: SUITE_LIMIT_MS },
  async () => {
    const deployment = await prepare({ document: DOCUMENT });
    const { result, kills } = await walkCase(deployment);
    expect(disturbances(deployment, result)).toEqual([]);
    expect(kills).toBeGreaterThan(RECORDS_MIN);
    await deployment.close();
  },
);

test.concurrent(
  "an interrupted unsafe task ends in doubt, and settle lets the run go on to its end",
  { timeout: SUITE_LIMIT_MS },
  async () => {
    const deployment = await prepare({ document: withTicketEffect(DOCUMENT, "unsafe") });
    // The first attempt looks at names, the second opens the ticket.
    const killed = await runProcess(deployment, { TUTTI_CRASH_POINT: "attempt.after:2" });
    expect(killed.signal).toBe("SIGKILL");
    const doubtful = await runCase(deployment.caseFile, deployment.environment);
    expect(doubtful.inDoubt).toEqual(["/do/begin/try/openTicket"]);
    const [ticket] = deployment.world.tickets.tickets;
    const settled = await runCase(deployment.caseFile, deployment.environment, { task: "openTicket", output: { id: ticket?.id ?? "" } });
    expect(disturbances(deployment, settled)).toEqual([]);
    await deployment.close();
  },
);

test.concurrent("control: a ticket that is called idempotent without being so is opened twice", { timeout: SUITE_LIMIT_MS }, async () => {
  const deployment = await prepare({ document: controlDocument(DOCUMENT) });
  const { result } = await walkCase(deployment);
  expect(result.status).toBe("completed");
  expect(deployment.world.ledger.doubled).not.toEqual([]);
  expect(deployment.world.tickets.tickets.length).toBeGreaterThan(1);
  await deployment.close();
});

async function faultCase(position: number, fault: Fault, expected: unknown): Promise<string[]> {
  const deployment = await prepare({ plan: new FaultPlan(position, fault), document: impatientDocument() });
  try {
    const result = await runCase(deployment.caseFile, deployment.environment);
    const found = disturbances(deployment, result, expected);
    if (deployment.world.plan.hit === undefined) found.push("the fault was not reached");
    return found.map((each) => `${fault} at ${position} (${deployment.world.plan.hit?.operation ?? "?"}): ${each}`);
  } finally {
    await deployment.close();
  }
}

/** The first process has the crash point; the second goes on without. */
async function killCase(crash: Readonly<Record<string, string>>, expected: unknown): Promise<string[]> {
  const deployment = await prepare({ document: DOCUMENT });
  try {
    const first = await runProcess(deployment, crash);
    const found = first.signal === "SIGKILL" ? [] : [`was not killed (${first.code ?? first.signal}: ${first.stderr})`];
    const second = await runProcess(deployment, {});
    found.push(
      ...(second.result === undefined
        ? [`the second process ended with ${second.code ?? second.signal}: ${second.stderr}`]
        : disturbances(deployment, second.result, expected)),
    );
    return found.map((each) => `${JSON.stringify(crash)}: ${each}`);
  } finally {
    await deployment.close();
  }
}

async function walkCase(deployment: FakeDeployment): Promise<{ readonly result: CaseResult; readonly kills: number }> {
  const crash = { TUTTI_CRASH_ONCE: join(deployment.directory, "positions") };
  for (let kills = 0; ; kills++) {
    const ended = await runProcess(deployment, crash);
    if (ended.result !== undefined) return { result: ended.result, kills };
    if (ended.signal !== "SIGKILL") throw new Error(`ended with ${ended.code ?? ended.signal}: ${ended.stderr}`);
  }
}

/** What is not as after an undisturbed deployment. */
function disturbances(deployment: FakeDeployment, result: CaseResult, contents?: unknown): string[] {
  const { world } = deployment;
  const found = [...world.ledger.doubled, ...differencesFromOneDeployment(world.inventory())];
  if (result.status !== "completed") found.push(`the run is ${result.status}: ${JSON.stringify(result.error ?? result.inDoubt)}`);
  if (contents !== undefined && JSON.stringify(world.contents()) !== JSON.stringify(contents))
    found.push(`other contents: ${JSON.stringify(world.contents())}`);
  return found;
}

interface Undisturbed {
  readonly requests: number;
  readonly records: number;
  readonly attempts: number;
  readonly contents: unknown;
}
let known: Promise<Undisturbed> | undefined;

/** How many requests, records and attempts a deployment without any disturbance has, and what it leaves. */
function undisturbed(): Promise<Undisturbed> {
  known ??= (async () => {
    const deployment = await prepare({ document: DOCUMENT });
    const result = await runCase(deployment.caseFile, deployment.environment);
    const { world } = deployment;
    const contents = world.contents();
    await deployment.close();
    expect(result.status).toBe("completed");
    return { requests: world.plan.seen.length, records: result.seq, attempts: ACTING_TASKS, contents };
  })();
  return known;
}

/** Tasks of the document that act, on the way that completes; each has one attempt. */
const ACTING_TASKS = 18;

/** Carries out the cases 1 to `count`, some at a time; all that went wrong. */
async function atEach(count: number, carryOut: (number: number) => Promise<string[]>): Promise<string[]> {
  const problems = await Promise.all(
    Array.from({ length: count }, async (_, place) => {
      await lanes.enter();
      try {
        return await carryOut(place + 1);
      } finally {
        lanes.leave();
      }
    }),
  );
  return problems.flat();
}

interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly result: CaseResult | undefined;
  readonly stderr: string;
}

function runProcess(deployment: FakeDeployment, crash: Readonly<Record<string, string>>): Promise<ProcessEnd> {
  return new Promise((resolve, reject) => {
    const child = spawn(
      process.execPath,
      [
        "--disallow-code-generation-from-strings",
        "--disable-proto=delete",
        "--disable-warning=ExperimentalWarning",
        programFile(RUN_PROCESS),
        deployment.caseFile,
      ],
      {
        env: {
          ...deployment.environment,
          ...crash,
          ...(process.env.NODE_COMPILE_CACHE !== undefined && { NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE }),
        },
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.on("error", reject);
    child.on("exit", (code, signal) => {
      setImmediate(() => resolve({ code, signal, result: code === 0 ? (JSON.parse(stdout) as CaseResult) : undefined, stderr }));
    });
  });
}
