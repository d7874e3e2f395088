import { openHost, resolveDataDirectory } from "@tutti/host";
const env = { ...process.env, TUTTI_DATA: process.argv[2]! + "/data" };
const h = await openHost({
  directory: resolveDataDirectory({ flag: undefined, environment: env, currentDirectory: "/" }),
  drive: "asked",
  environment: env,
  report: console.error,
});
const id = await h.service.resolveRunId("@latest");
const v = await h.service.show(id);
console.log(JSON.stringify((v.context as any)?.plan?.tools));
const walk = (t: any, i = 0) => {
  console.log(
    " ".repeat(i) + t.name,
    t.status,
    t.attempts,
    JSON.stringify(t.output)?.slice(0, 150),
    t.error ? JSON.stringify(t.error).slice(0, 300) : "",
  );
  t.children.forEach((c: any) => walk(c, i + 2));
};
v.tasks.forEach((t) => walk(t));
console.log(v.status, JSON.stringify(v.waits), JSON.stringify(v.error));
for (const r of await h.service.records(id, 1, 500)) console.log(r.seq, JSON.stringify(r.record).slice(0, 330));
await h.stop();
