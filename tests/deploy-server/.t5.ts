import { openHost, resolveDataDirectory } from "@tutti/host";
import { mkdtempSync, readFileSync } from "node:fs";
const env = { ...process.env, TUTTI_DATA: mkdtempSync("/tmp/lab-t-") };
const h = await openHost({
  directory: resolveDataDirectory({ flag: undefined, environment: env, currentDirectory: "/" }),
  drive: "all",
  environment: env,
  report: console.error,
});
try {
  console.log((await h.service.publish({ text: readFileSync(process.argv[2]!, "utf8") })).findings);
} catch (e: any) {
  console.log(e.message, JSON.stringify(e.details));
  process.exit(1);
}
const { runId } = await h.service.startRun({
  namespace: "t",
  name: "t",
  version: "1.0.0",
  input: JSON.parse(process.argv[3] ?? "{}") as never,
  actor: "x",
});
await h.service.waitFor(runId, "rest", AbortSignal.timeout(5000));
const v = await h.service.show(runId);
console.log(v.status, v.output, v.error);
await h.stop();
