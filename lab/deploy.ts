// Deploys a server with Tutti on real systems, looks at those systems whether it is there, and takes everything down again.
//
//   npm run lab:deploy [-- --application hello|visits] [-- --keep]
import { parseArgs } from "node:util";
import { differencesFromOneDeployment } from "../examples/deploy-server/inventory.ts";
import { run, say } from "./commands.ts";
import { BALANCER_PORT, RESOLVER_PORT } from "./deploy-input.ts";
import { inspect } from "./inspect.ts";
import { type LabSession, withLab, WORKFLOW_FILE } from "./session.ts";
import { DNS_ZONE } from "./systems.ts";

const SERVER = "shop1";

const { values: flags } = parseArgs({
  options: { application: { type: "string", default: "visits" }, keep: { type: "boolean", default: false } },
});

process.exitCode = await withLab({ serverName: SERVER, application: flags.application, keeps: flags.keep }, deploy);

async function deploy(session: LabSession): Promise<void> {
  const { phases, tutti } = session;
  const result = await phases.time("deployment", () =>
    tutti.run(["run", "start", WORKFLOW_FILE, "-f", session.inputFile, "--wait"], { isShown: true }),
  );
  if (result.code !== 0) throw new Error(`tutti run start ended with ${result.code ?? result.signal}`);
  const inventory = await inspect(session.hypervisor, SERVER);
  say(`the systems list: ${JSON.stringify(inventory)}`);
  const differences = differencesFromOneDeployment(inventory);
  if (differences.length > 0) throw new Error(`not as it should be:\n  ${differences.join("\n  ")}`);
  say(`the application says: ${(await fetchPage()).trim()}`);
}

/** Independently of the workflow: the first page by name, through the load balancer. */
async function fetchPage(): Promise<string> {
  const name = `${SERVER}.${DNS_ZONE.slice(0, -1)}`;
  const address = (await run("dig", ["+short", "@127.0.0.1", "-p", String(RESOLVER_PORT), name, "A"])).trim();
  if (address === "") throw new Error(`${name} has no address`);
  // The balancer may have missed a check of a server that is emulated on a full machine.
  const patience = ["--max-time", "60", "--retry", "60", "--retry-delay", "2", "--retry-all-errors", "--retry-max-time", "300"];
  return run("curl", ["-fsS", ...patience, "--resolve", `${name}:${BALANCER_PORT}:${address}`, `http://${name}:${BALANCER_PORT}/`]);
}
