// One deployment on real systems whose process is killed with SIGKILL once at each position of its journal, as that position is first reached,
// and taken up by a new process each time. In the end every system must look as after one undisturbed deployment.
//
// Then the control: the same walk over a document that calls the opening of its ticket idempotent, which it is not. It must end with more than
// one ticket; if it doesn't, the walk proves nothing.
//
//   npm run lab:deploy-walk [-- --keep]
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { differencesFromOneDeployment } from "../examples/deploy-server/inventory.ts";
import { say } from "./commands.ts";
import { controlDocument } from "./control-document.ts";
import { cleanUp, inspect } from "./inspect.ts";
import { type LabSession, withLab, WORKFLOW_FILE } from "./session.ts";
import { walk } from "./walk.ts";

const SERVER = "walk1";
const CONTROL_SERVER = "control1";
/** Eighteen tasks act, and each is at least sent, answered and recorded. A walk with fewer positions did not walk. */
const POSITIONS_MIN = 50;

const { values: flags } = parseArgs({ options: { keep: { type: "boolean", default: false } } });

process.exitCode = await withLab({ serverName: SERVER, application: "visits", keeps: flags.keep }, async (session) => {
  await walkControl(session);
  await walkDeployment(session);
});

async function walkDeployment(session: LabSession): Promise<void> {
  const { phases, tutti, inputFile, workDirectory } = session;
  const result = await phases.time("walk", () =>
    walk(tutti, { workflowFile: WORKFLOW_FILE, inputFile, positionsFile: join(workDirectory, "positions") }),
  );
  if (result.status !== "completed") throw new Error(`run ${result.runId} ended ${result.status}: ${result.why}`);
  const inventory = await inspect(session.hypervisor, SERVER);
  say(`the systems list: ${JSON.stringify(inventory)}`);
  const differences = differencesFromOneDeployment(inventory);
  if (differences.length > 0) throw new Error(`disturbed:\n  ${differences.join("\n  ")}`);
  if (result.positions.length < POSITIONS_MIN) throw new Error(`only ${result.positions.length} positions were reached`);
  say(`walk: ${result.kills} kills at ${result.positions.length} positions, every system as undisturbed`);
}

async function walkControl(session: LabSession): Promise<void> {
  const { phases, tutti, workDirectory } = session;
  const workflowFile = join(workDirectory, "control.yaml");
  await writeFile(workflowFile, controlDocument(await readFile(WORKFLOW_FILE, "utf8")));
  const input = JSON.parse(await readFile(session.inputFile, "utf8")) as { server: { name: string } };
  input.server.name = CONTROL_SERVER;
  const inputFile = join(workDirectory, "control.json");
  await writeFile(inputFile, JSON.stringify(input));
  await cleanUp(session.hypervisor, CONTROL_SERVER);
  const result = await phases.time("control", () =>
    walk(tutti, { workflowFile, inputFile, positionsFile: join(workDirectory, "control-positions") }),
  );
  const { tickets } = await inspect(session.hypervisor, CONTROL_SERVER);
  await cleanUp(session.hypervisor, CONTROL_SERVER);
  if (result.status !== "completed") throw new Error(`the control's run ended ${result.status}: ${result.why}`);
  if (tickets.length < 2) throw new Error(`the control opened ${tickets.length} ticket: such a walk finds nothing`);
  say(`control: caught, a ticket that is called idempotent without being so was opened ${tickets.length} times`);
}
