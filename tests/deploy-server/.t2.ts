import { openHost, resolveDataDirectory } from "@tutti/host";
import { mkdtempSync } from "node:fs";
const env = { ...process.env, TUTTI_DATA: mkdtempSync("/tmp/lab-t-") };
const h = await openHost({
  directory: resolveDataDirectory({ flag: undefined, environment: env, currentDirectory: "/" }),
  drive: "all",
  environment: env,
  report: console.error,
});
await h.service.publish({
  text: `
document: {dsl: 1.0.3, namespace: t, name: t, version: 1.0.0}
do:
  - plan: { set: { a: { b: x } }, export: { as: "\${ { plan: . } }" } }
  - begin: { try: [ { s: { run: { script: { language: bash, environment: { A: "\${ $context.plan.a.b }", B: "lit", C: "\${ 1 + 1 | tostring }" }, code: "env | sort; echo $TUTTI_TOKEN" } } } } ], catch: { retry: { limit: { attempt: { count: 1 } } } } }
`,
});
const { runId } = await h.service.startRun({ namespace: "t", name: "t", version: "1.0.0", input: {} as never, actor: "x" });
await h.service.waitFor(runId, "rest", AbortSignal.timeout(5000));
const v = await h.service.show(runId);
console.log(v.status, v.output, v.error);
await h.stop();
