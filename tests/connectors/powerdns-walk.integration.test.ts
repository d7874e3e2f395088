import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isJsonObject, type Json } from "@tutti/model";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { hasLab } from "@tutti/testkit/lab";
import { type Pdns, startPdns } from "../../packages/connectors/powerdns/src/pdns-for-tests.ts";
import { type Ended, tutti, workDirectory } from "../cli/tutti-process.ts";

// A workflow on the real PowerDNS whose process is killed once at each position of its journal, forwards and while it is backed out. It says nothing of how its
// calls are undone: the connector does.

const WORKFLOW = `document: { dsl: 1.0.3, namespace: default, name: names, version: 1.0.0 }
do:
  - names:
      metadata: { tutti: { saga: { on: [faulted] } } }
      do:
        - zone:
            call: zone.create:1@powerdns
            with: { provider: dns, name: new.test }
        - added:
            call: recordset.set:1@powerdns
            with: { provider: dns, zone: new.test, name: www, type: A, records: [10.0.0.5] }
        - moved:
            call: recordset.set:1@powerdns
            with: { provider: dns, zone: lab.test, name: www, type: A, records: [10.0.0.5] }
        - removed:
            call: recordset.delete:1@powerdns
            with: { zone: lab.test, name: old, type: A }
        - last:
            if: \${ $workflow.input.fails }
            raise: { error: { type: 'https://example.com/no', status: 500, title: no } }
`;
/** A run has some forty positions; more means that it does not come to its end. */
const KILLS_MAX = 150;

describe.skipIf(!hasLab)("a workflow on the real PowerDNS, killed at each position of its journal", () => {
  let pdns: Pdns;
  beforeAll(async () => {
    pdns = await startPdns();
  });
  afterEach(() => pdns.empty());
  afterAll(() => pdns.stop());

  test("leaves what an undisturbed run leaves", async () => {
    await fill(pdns);
    await start(pdns, { fails: false });
    const undisturbed = await seen(pdns);
    expect(undisturbed).toHaveProperty(["new.test. www.new.test. A"]);
    await pdns.empty();
    await fill(pdns);
    const walked = await walk(pdns, { fails: false });
    expect(walked.status).toBe("completed");
    expect(walked.kills).toBeGreaterThan(10);
    expect(await seen(pdns)).toEqual(undisturbed);
  });

  test("leaves what was there before when it is backed out", async () => {
    await fill(pdns);
    const before = await seen(pdns);
    const walked = await walk(pdns, { fails: true });
    expect(walked.status).toBe("faulted");
    expect(walked.kills).toBeGreaterThan(15);
    expect(await seen(pdns)).toEqual(before);
  });
});

/** What others have made. */
async function fill(pdns: Pdns): Promise<void> {
  await pdns.ask("POST", "/zones", { name: "lab.test.", kind: "Native", nameservers: ["ns1.lab.test."] });
  const records = (content: string): Json => [{ content, disabled: false }];
  const by = { ttl: 60, changetype: "REPLACE", type: "A", comments: [{ content: "by hand", account: "ops", modified_at: 1_700_000_000 }] };
  await pdns.ask("PATCH", "/zones/lab.test.", {
    rrsets: [
      { ...by, name: "www.lab.test.", records: records("10.0.0.1") },
      { ...by, name: "old.lab.test.", records: records("10.0.0.2") },
    ],
  });
}

/** Every record set but SOA, without the tokens, which differ from run to run. */
async function seen(pdns: Pdns): Promise<Readonly<Record<string, string>>> {
  const found: Record<string, string> = {};
  for (const zone of listOf(await pdns.ask("GET", "/zones"))) {
    const whole = await pdns.ask("GET", `/zones/${String(zone["name"] as string)}`);
    for (const rrset of listOf(isJsonObject(whole) ? (whole["rrsets"] ?? []) : [])) {
      if (rrset["type"] === "SOA") continue;
      const others = listOf(rrset["comments"] ?? []).filter(({ account }) => account !== "tutti");
      const key = `${String(zone["name"] as string)} ${String(rrset["name"] as string)} ${String(rrset["type"] as string)}`;
      found[key] = JSON.stringify([rrset["ttl"], rrset["records"], others]);
    }
  }
  return found;
}

function listOf(value: Json): readonly Readonly<Record<string, Json>>[] {
  return Array.isArray(value) ? value.filter(isJsonObject) : [];
}

async function prepared(pdns: Pdns): Promise<string> {
  const directory = workDirectory({ "names.yaml": WORKFLOW });
  mkdirSync(join(directory, ".tutti/secrets"), { recursive: true, mode: 0o700 });
  writeFileSync(join(directory, ".tutti/secrets/dnsKey"), String(pdns.provider(pdns.url).credentials["apiKey"] as string), { mode: 0o600 });
  const provider = ["--connector", "powerdns", "--set", `url=${pdns.url}`, "--credential", "apiKey=dnsKey"];
  expect(await tutti(directory, ["provider", "add", "dns", ...provider])).toMatchObject({ code: 0 });
  return directory;
}

function startWords(input: { readonly fails: boolean }): readonly string[] {
  return ["run", "start", "names.yaml", "--set", `fails=${input.fails}`, "--wait"];
}

async function start(pdns: Pdns, input: { readonly fails: boolean }): Promise<Ended> {
  const done = await tutti(await prepared(pdns), startWords(input));
  expect(done).toMatchObject({ code: 0 });
  return done;
}

/** Takes the run up again after each death, until it is at rest. */
async function walk(pdns: Pdns, input: { readonly fails: boolean }): Promise<{ readonly status: string; readonly kills: number }> {
  const directory = await prepared(pdns);
  const positions = join(directory, "positions");
  const environment = { TUTTI_CRASH_ONCE: positions };
  let died = await tutti(directory, startWords(input), environment);
  for (let kills = 0; kills < KILLS_MAX; kills += 1) {
    const shown = await tutti(directory, ["run", "show", "@latest", "--json"]);
    if (shown.code !== 0) throw new Error(`the run can't be shown: ${shown.error}`);
    const { status } = JSON.parse(shown.out) as { readonly status: string };
    if (status !== "running" && status !== "waiting") return { status, kills };
    if (died.signal !== "SIGKILL") throw new Error(`the process ended with ${died.code}: ${died.out}${died.error}`);
    died = await tutti(directory, ["run", "resume", "@latest", "--wait"], environment);
  }
  throw new Error(`no end after ${KILLS_MAX} kills: ${existsSync(positions) ? readFileSync(positions, "utf8") : ""}`);
}
