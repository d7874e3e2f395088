import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { hasLab } from "@tutti/testkit/lab";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Pdns, startPdns } from "../../packages/connectors/powerdns/src/pdns-for-tests.ts";
import { tutti, workDirectory } from "./tutti-process.ts";

const NAMES = `document: { dsl: 1.0.3, namespace: default, name: names, version: 1.0.0 }
do:
  - zone: { call: zone.create:1@powerdns, with: { name: lab.test } }
  - address: { run: { shell: { command: echo 10.0.0.7 } }, metadata: { tutti: { effect: { class: idempotent } } } }
  - www:
      call: recordset.set:1@powerdns
      with: { zone: lab.test, name: '\${ $workflow.input.name }', type: A, records: ['\${ rtrimstr("\\n") }'] }
`;

test("what is wrong with a preview is said before anything is started", async () => {
  const directory = workDirectory({ "doc.yaml": NAMES, "no.json": "{}", "broken.json": "{" });
  expect(await tutti(directory, ["run", "start"])).toMatchObject({
    code: 2,
    error: expect.stringContaining("Name the workflow, or give a preview"),
  });
  expect(await tutti(directory, ["run", "start", "--preview", "no.json"])).toMatchObject({
    code: 2,
    error: expect.stringContaining("This is no change preview: its format is not tutti.change-preview/1"),
  });
  expect(await tutti(directory, ["run", "start", "--preview", "broken.json"])).toMatchObject({ code: 2 });
  expect(await tutti(directory, ["run", "start", "--preview", "nowhere.json"])).toMatchObject({ code: 2 });
  expect(await tutti(directory, ["run", "start", "doc.yaml", "--preview", "no.json", "--key", "k"])).toMatchObject({ code: 2 });
  expect(await tutti(directory, ["workflow", "preview", "default/names"])).toMatchObject({
    code: 2,
    error: expect.stringContaining("no workflow"),
  });
  const without = await tutti(directory, ["workflow", "preview", "doc.yaml", "--set", "name=www"]);
  expect(without.code).toBe(0);
  expect(without.out).toContain("Connector powerdns has no provider: `tutti provider add NAME --connector powerdns` makes one.");
});

describe.skipIf(!hasLab)("with a real PowerDNS", () => {
  let pdns: Pdns;
  let directory: string;
  beforeAll(async () => {
    pdns = await startPdns();
    const key = String(pdns.provider(pdns.url).credentials["apiKey"] as string);
    directory = workDirectory({ "names.yaml": NAMES });
    mkdirSync(join(directory, ".tutti/secrets"), { recursive: true, mode: 0o700 });
    writeFileSync(join(directory, ".tutti/secrets/dnsKey"), key, { mode: 0o600 });
    const provider = ["dns", "--connector", "powerdns", "--set", `url=${pdns.url}`, "--credential", "apiKey=dnsKey"];
    await tutti(directory, ["provider", "add", ...provider]);
  });
  afterAll(() => pdns.stop());

  const zones = async (): Promise<number> => ((await pdns.ask("GET", "/zones")) as readonly unknown[]).length;

  test("a preview changes nothing; its run does what it says; a world that moved voids it", async () => {
    const shown = await tutti(directory, ["workflow", "preview", "names.yaml", "--set", "name=www", "--output", "p.json"]);
    expect(shown.code).toBe(0);
    expect(shown.out).toContain("+ create zone lab.test.");
    expect(shown.out).toContain("depends on the output of /do/address");
    expect(shown.out).toContain("Nothing was changed.");
    expect(statSync(join(directory, "p.json")).mode & 0o777).toBe(0o600);
    expect(await zones()).toBe(0);

    // Somebody else makes the zone meanwhile.
    await pdns.ask("POST", "/zones", { name: "lab.test.", kind: "Native", nameservers: [] });
    const refused = await tutti(directory, ["run", "start", "names.yaml", "--preview", "p.json", "--wait"]);
    expect(refused).toMatchObject({ code: 3, error: expect.stringMatching(/is void: the world has moved since: .*\/do\/zone/) });
    expect((await tutti(directory, ["run", "list", "--json"])).out).not.toContain('"names"');

    // It is gone again: the preview holds.
    await pdns.empty();
    const done = await tutti(directory, ["run", "start", "--preview", "p.json", "--wait", "--json"]);
    expect(done.code).toBe(0);
    const preview = JSON.parse(readFileSync(join(directory, "p.json"), "utf8")) as { readonly runId: string };
    expect(JSON.parse(done.out)).toMatchObject({ runId: preview.runId, status: "completed" });
    expect(await zones()).toBe(1);
    const again = await tutti(directory, ["run", "start", "--preview", "p.json", "--wait", "--json"]);
    expect(again).toMatchObject({ code: 0, error: expect.stringContaining("before: no second run") });
  });
});
