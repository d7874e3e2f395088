// The process whose first start is cut short: `opener.ts DIRECTORY`. Opens the directory as `tutti up` does, publishes a workflow, and says on
// standard output how far it has come; each line is a promise about what is stored.
import { readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { openHost, resolveDataDirectory } from "@tutti/host";

const [directory = ""] = process.argv.slice(2);
const text = "document: { dsl: 1.0.3, namespace: power, name: first, version: 1.0.0 }\ndo: [ { a: { set: { done: true } } } ]\n";
const data = resolveDataDirectory({ flag: directory, environment: {}, currentDirectory: "/" });

await import("@tutti/store-sqlite");
say("begin");
const startedAt = performance.now();
const host = await openHost({ directory: data, drive: "all", environment: {}, report: () => undefined });
const known = await host.service.listDefinitions();
say(`open ${Math.ceil(performance.now() - startedAt)} ${readFileSync(join(directory, "installation-id"), "utf8").trim()} ${known.length}`);
await host.service.publish({ text });
say("published");
const { store } = await host.service.diagnose();
say(`damage ${store.damage.length}`);
await host.stop();
say("stopped");

function say(line: string): void {
  writeSync(1, `${line}\n`);
}
