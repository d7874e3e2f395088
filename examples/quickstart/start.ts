// The first minutes with Tutti: deploys a small web service by a durable workflow, lets one step fail, resumes the run, and asks the URL.
//
//   npm start               everything is removed at the end
//   npm start -- --keep     the service goes on and the data directory stays, to look around in
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createSandbox, freePort, hasGit, type Sandbox } from "./sandbox.ts";
import { indent, Tutti } from "./tutti.ts";

const WORKFLOW = "examples/quickstart/workflow.yaml";
const GREETING = "All together now";
/** Exit codes of `tutti … --wait`: they mirror the run. */
const COMPLETED = 0;
const FAULTED = 1;

process.exitCode = await main();

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { keep: { type: "boolean", default: false } } });
  if (!hasGit()) {
    process.stderr.write(
      "The quickstart deploys from a git repository, and there is no git here: install it (apt-get install git) and start again.\n",
    );
    return 1;
  }
  const sandbox = createSandbox();
  process.once("SIGINT", () => process.exit(130));
  process.once("SIGTERM", () => process.exit(143));
  process.once("exit", () => (values.keep ? undefined : sandbox.remove()));
  const problem = await tell(sandbox);
  if (problem !== undefined) {
    process.stderr.write(`\nThe quickstart did not come to its end: ${problem}\n`);
    if (existsSync(sandbox.serviceLog)) process.stderr.write(`What the service said: ${sandbox.serviceLog}\n`);
    return 1;
  }
  say(values.keep ? whatStays(sandbox) : `\nThe service is stopped and ${sandbox.directory} removed; \`npm start -- --keep\` leaves both.`);
  say(`\nTry next:
  npm run tutti -- --help                            every command
  npm run tutti -- workflow lint ${WORKFLOW}
  npm test                                           the fast tests
  docs/ARCHITECTURE.md                               how it works, in ten minutes`);
  return 0;
}

/** Carries the story out, step by step. @returns what went otherwise than it should, or undefined. */
async function tell(sandbox: Sandbox): Promise<string | undefined> {
  const tutti = new Tutti(join(sandbox.directory, "data"));
  say(`1. An application in a git repository of its own: ${sandbox.repository}`);
  const commit = sandbox.makeRepository();
  say(`   version ${commit.slice(0, 12)}`);

  say(`\n2. The workflow ${WORKFLOW} deploys it. Nobody has assigned a port yet, so one step will fail.`);
  const input = join(sandbox.directory, "input.json");
  const given = { repository: sandbox.repository, directory: sandbox.directory, greeting: GREETING, node: process.execPath };
  writeFileSync(input, JSON.stringify(given, undefined, 2));
  const started = tutti.run(["run", "start", WORKFLOW, "--input", input, "--wait"]);
  if (started !== FAULTED) return `the first pass ended with exit code ${started} instead of ${FAULTED}`;
  tutti.run(["run", "logs", "@latest", "--task", "configure"]);
  say("\n   The run rests at the failed step: what is done stays done, and nothing will be done twice.");

  const port = await freePort();
  say(`\n3. A person puts right what was missing: port ${port}, written to ${sandbox.portFile}`);
  writeFileSync(sandbox.portFile, `${port}\n`);

  say("\n4. The run goes on from the step that failed.");
  const resumed = tutti.run(["run", "resume", "@latest", "--reason", "a port is assigned", "--wait"]);
  if (resumed !== COMPLETED) return `the resumed run ended with exit code ${resumed}`;

  const url = `http://127.0.0.1:${port}/`;
  const answer = await fetch(url);
  const body = await answer.text();
  say(`\n5. The service answers: ${url}\n${indent(body.trim())}`);
  if (!body.includes(commit) || !body.includes(GREETING)) return "another version answers than the one that was deployed";

  say("\n6. What the run did, step by step:");
  const shown = tutti.run(["run", "show", "@latest"]);
  say(`   What a crash in the middle of each would have meant:
     checkOut, configure       idempotent: done again, with the same result
     startService              findable: looked up at its port, and started only if it is not there
     waitUntilHealthy, verify  read: asked again
     judge, report             computed from what is recorded`);
  return shown === COMPLETED ? undefined : `the run could not be shown (exit code ${shown})`;
}

function whatStays(sandbox: Sandbox): string {
  return `\nWhat stays: the service (end it with \`kill ${sandbox.servicePid() ?? "PID"}\`) and ${sandbox.directory}. Look at the run with
  npm run tutti -- run show @latest --data ${join(sandbox.directory, "data")}
and remove the folder when you are done: rm -r ${sandbox.directory}`;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
