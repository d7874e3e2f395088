import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasLab } from "@tutti/testkit/lab";
import { type Pdns, startPdns } from "../../packages/connectors/powerdns/src/pdns-for-tests.ts";
import { tutti, workDirectory } from "./tutti-process.ts";

const HEAD = "document: { dsl: 1.0.3, namespace: default, name: names, version: 1.0.0 }\n";
const NAMES = `${HEAD}do:
  - zone:
      call: zone.create:1@powerdns
      with: { name: lab.test }
  - www:
      call: recordset.set:1@powerdns
      with: { provider: dns, zone: lab.test, name: www, type: A, records: ['\${ .address }'] }
      input: { from: '\${ $workflow.input }' }
`;
const WRONG = NAMES.replace("provider: dns", "provider: dsn").replace("version: 1.0.0", "version: 1.0.1");

function directoryWith(files: Readonly<Record<string, string>>, key: string): string {
  const directory = workDirectory(files);
  mkdirSync(join(directory, ".tutti/secrets"), { recursive: true, mode: 0o700 });
  writeFileSync(join(directory, ".tutti/secrets/dnsKey"), key, { mode: 0o600 });
  return directory;
}

const add = (url: string): readonly string[] => {
  const provider = ["dns", "--connector", "powerdns", "--set", `url=${url}`, "--credential", "apiKey=dnsKey"];
  return ["provider", "add", ...provider];
};

test("what can't be a provider is told with the way out, and one that does not answer is kept and told", async () => {
  const directory = directoryWith({}, "key-0123456789");
  const nothing = await tutti(directory, ["provider", "list"]);
  expect(nothing).toMatchObject({ code: 0, error: expect.stringContaining("provider add NAME --connector CONNECTOR") });
  const wrong = await tutti(directory, ["provider", "add", "dns", "--connector", "pdns"]);
  expect(wrong).toMatchObject({ code: 2, error: expect.stringMatching(/there are: .*powerdns/) });
  const incomplete = await tutti(directory, ["provider", "add", "dns", "--connector", "powerdns"]);
  expect(incomplete).toMatchObject({ code: 2, error: expect.stringContaining("It takes url, server (optional): --set NAME=VALUE") });
  const down = await tutti(directory, add("http://127.0.0.1:9"));
  expect(down.code).toBe(4);
  expect(down.out).toContain("dns  powerdns  unhealthy");
  const doctor = await tutti(directory, ["admin", "doctor"]);
  expect(doctor).toMatchObject({ code: 0, out: expect.stringContaining("tutti provider check dns says what to do") });
  const listed = JSON.parse((await tutti(directory, ["provider", "list", "--json"])).out) as unknown;
  expect(listed).toMatchObject({
    providers: [{ name: "dns", connector: "powerdns", credentials: { apiKey: { secret: "dnsKey" } }, health: { status: "unhealthy" } }],
  });
  expect(await tutti(directory, add("http://127.0.0.1:9"))).toMatchObject({ code: 3, error: expect.stringContaining("--replace") });
  expect(await tutti(directory, ["provider", "remove", "dns", "--dry-run"])).toMatchObject({ code: 0, out: "dns would be removed\n" });
  expect(await tutti(directory, ["provider", "rm", "dns"])).toMatchObject({ code: 0, out: "dns removed\n" });
  expect(await tutti(directory, ["provider", "check", "dns"])).toMatchObject({
    code: 2,
    error: expect.stringContaining("no provider dns"),
  });
});

describe.skipIf(!hasLab)("with a real PowerDNS", () => {
  let pdns: Pdns;
  beforeAll(async () => {
    pdns = await startPdns();
  });
  afterAll(() => pdns.stop());

  test("a workflow works on a provider that was added; a wrong name is refused with those there are", async () => {
    const key = String(pdns.provider(pdns.url).credentials["apiKey"] as string);
    const directory = directoryWith({ "names.yaml": NAMES, "wrong.yaml": WRONG }, key);
    const added = await tutti(directory, add(pdns.url));
    expect(added).toMatchObject({ code: 0, out: expect.stringMatching(/^dns {2}powerdns {2}healthy \d+\.\d+/) });
    const done = await tutti(directory, ["run", "start", "names.yaml", "--set", "address=10.0.0.7", "--wait", "--json"]);
    expect([done.code, done.error]).toEqual([0, ""]);
    expect(await pdns.ask("GET", "/zones/lab.test.")).toMatchObject({
      account: expect.stringMatching(/^tok_/),
      rrsets: expect.arrayContaining([
        expect.objectContaining({ name: "www.lab.test.", records: [{ content: "10.0.0.7", disabled: false }] }),
      ]),
    });
    expect(done.out + done.error + added.out).not.toContain(key);
    await pdns.empty();
    const refused = await tutti(directory, ["run", "start", "wrong.yaml", "--set", "address=10.0.0.7", "--wait"]);
    expect(refused.code).toBe(1);
    expect(refused.out + refused.error).toContain('There is no provider "dsn". Connector powerdns has the provider dns');
  });
});
