import { type Connector, ConnectorError, defineConnector, type Health, z } from "@tutti/connector-kit";
import { ERROR_TYPE_BASE, type JsonObject } from "@tutti/model";
import { expect, test } from "vitest";
import { PROVIDER_CHECK_MS } from "./provider-operations.ts";
import { World } from "./runtime-for-tests.ts";

const KEY = "correct-horse-battery";
const DNS = {
  name: "dns",
  connector: "zones",
  configuration: { url: "http://ns1" },
  credentials: { key: "zone-key" },
  replace: false,
  dryRun: false,
};

function zones(check: Connector["check"] = async () => ({ status: "healthy", version: "4.7" })): Connector {
  return defineConnector({
    name: "zones",
    version: "1.0.0",
    configuration: z.strictObject({ url: z.url(), server: z.string().default("localhost") }),
    credentials: z.strictObject({ key: z.string().min(8) }),
    check,
    functions: {
      "zone.tell:1": {
        title: "Tells what it is given",
        input: z.strictObject({ zone: z.string() }),
        output: z.custom<JsonObject>(),
        effect: "read",
        requestTimeoutMs: 0,
        settleMs: 0,
        // What a run stores of a credential is masked.
        run: async (input, { provider }) => ({
          input,
          on: provider?.name ?? null,
          at: provider?.configuration ?? null,
          by: provider?.credentials ?? null,
        }),
      },
    },
  });
}

async function worldWith(connector: Connector = zones()): Promise<World> {
  const world = new World({ connectors: [connector], secrets: { "zone-key": KEY } });
  await world.start();
  return world;
}

let calls = 0;

async function call(world: World, given: JsonObject): Promise<unknown> {
  calls += 1;
  const name = `call-${calls}`;
  await world.publish([{ tell: { call: "zone.tell:1@zones", with: { zone: "lab.test.", ...given } } }], { document: { name } });
  const runId = await world.begin({}, { name });
  await world.wait(runId, "parked");
  const { status, output, error } = await world.runtime.show(runId);
  return status === "completed" ? output : error;
}

test("a call works on the only provider of its connector, whose name is no argument of the function and whose secrets are in no record", async () => {
  const world = await worldWith();
  await world.runtime.addProvider(DNS);
  const told = { input: { zone: "lab.test." }, on: "dns", at: DNS.configuration, by: { key: "***" } };
  expect(await call(world, {})).toEqual(told);
  expect(await call(world, { provider: "dns" })).toEqual(told);
  expect(await call(world, { provider: "${ null }" })).toEqual(told);
  await world.runtime.addProvider({ ...DNS, name: "dns2", configuration: { url: "http://ns2" } });
  expect(await call(world, { provider: "dns2" })).toMatchObject({ on: "dns2", at: { url: "http://ns2" } });
});

test("which provider is meant must be clear: the error is permanent and names those there are", async () => {
  const world = await worldWith();
  const type = `${ERROR_TYPE_BASE}configuration`;
  await expect(call(world, { provider: 7 })).rejects.toThrow("with/provider");
  expect(await call(world, {})).toMatchObject({ type, title: expect.stringContaining("tutti provider add NAME --connector zones") });
  await world.runtime.addProvider(DNS);
  expect(await call(world, { provider: "dsn" })).toMatchObject({
    type,
    title: 'There is no provider "dsn". Connector zones has the provider dns: name one in `with.provider`.',
  });
  await world.runtime.addProvider({ ...DNS, name: "dns2" });
  expect(await call(world, {})).toMatchObject({
    type,
    title: "Connector zones has the providers dns, dns2: name one in `with.provider`.",
  });
  expect(await call(world, { provider: "${ 7 }" })).toMatchObject({ type });
});

test("a provider survives a restart; removed, it is gone, and its name is free", async () => {
  const world = await worldWith();
  const added = await world.runtime.addProvider(DNS);
  expect(added).toEqual({
    name: "dns",
    connector: "zones",
    configuration: DNS.configuration,
    credentials: { key: "zone-key" },
    health: undefined,
  });
  world.kill();
  await world.start();
  expect(await world.runtime.listProviders()).toEqual([added]);
  await expect(world.runtime.addProvider(DNS)).rejects.toMatchObject({ code: "provider-exists" });
  const changed = { ...DNS, configuration: { url: "http://ns9" }, replace: true };
  await world.runtime.addProvider({ ...changed, dryRun: true });
  expect(await world.runtime.listProviders()).toEqual([added]);
  await world.runtime.addProvider(changed);
  expect(await call(world, {})).toMatchObject({ at: { url: "http://ns9" } });
  await world.runtime.removeProvider("dns");
  expect(await world.runtime.listProviders()).toEqual([]);
  await expect(world.runtime.removeProvider("dns")).rejects.toMatchObject({ code: "provider-not-found" });
  await world.runtime.addProvider(DNS);
});

test.each([
  ["a name with blanks", { name: "my dns" }, "no name for a provider"],
  ["a connector that takes none", { connector: "bank" }, 'no connector "bank" that takes providers; there are: zones'],
  ["a configuration that does not fit", { configuration: { url: "nowhere" } }, "The configuration does not fit connector zones: url: "],
  ["an unknown credential", { credentials: { key: "zone-key", password: "x" } }, 'no credential "password"; it has: key'],
  ["a missing credential", { credentials: {} }, "The credential key is missing"],
  ["a secret in the configuration", { configuration: { url: `http://ns1/${KEY}` } }, "holds the value of a secret"],
])("%s is refused, and nothing is stored", async (_, change, message) => {
  const world = await worldWith();
  const refused = await world.runtime.addProvider({ ...DNS, ...change }).catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: "provider-invalid", message: expect.stringContaining(message) });
  expect(JSON.stringify(refused)).not.toContain(KEY);
  expect(await world.runtime.listProviders()).toEqual([]);
});

test("a credential whose secret is missing or does not fit fails the call before anything is sent, without its value", async () => {
  const world = await worldWith();
  await world.runtime.addProvider({ ...DNS, credentials: { key: "nobody" } });
  expect(await call(world, {})).toMatchObject({ title: expect.stringContaining('There is no secret "nobody"') });
  expect((await world.runtime.checkProvider("dns")).health?.found).toMatchObject({
    status: "unhealthy",
    problem: expect.stringContaining('There is no secret "nobody"'),
  });
});

test("a check is kept with what it found; a change of the provider forgets it", async () => {
  const answers: Health[] = [
    { status: "healthy", version: "4.7" },
    { status: "degraded", version: "4.7", problem: `The key ${KEY} is old.`, wayOut: "Make a new one." },
  ];
  const world = await worldWith(zones(async () => answers.shift() as Health));
  await world.runtime.addProvider(DNS);
  expect((await world.runtime.checkProvider("dns")).health?.found).toEqual({ status: "healthy", version: "4.7" });
  const second = await world.runtime.checkProvider("dns");
  expect(second.health?.found).toMatchObject({ status: "degraded", problem: "The key *** is old." });
  expect(await world.runtime.listProviders()).toEqual([second]);
  answers.push({ status: "healthy", version: "9".repeat(100_000) });
  expect((await world.runtime.checkProvider("dns")).health?.found.version).toHaveLength(1000);
  await world.runtime.addProvider({ ...DNS, replace: true });
  expect((await world.runtime.listProviders())[0]?.health).toBeUndefined();
});

test("a target that fails or is silent is unhealthy, and the check ends", async () => {
  const failing = await worldWith(
    zones(async () => {
      throw new ConnectorError(`ns1 refused ${KEY}.`, { kind: "authentication", outcome: "answered" });
    }),
  );
  await failing.runtime.addProvider(DNS);
  expect((await failing.runtime.checkProvider("dns")).health?.found).toMatchObject({ status: "unhealthy", problem: "ns1 refused ***." });
  let wasAborted = false;
  const silent = await worldWith(
    zones(async ({ signal }) => {
      signal.addEventListener("abort", () => (wasAborted = true));
      return new Promise<never>(() => {});
    }),
  );
  await silent.runtime.addProvider(DNS);
  const checking = silent.runtime.checkProvider("dns");
  const checked = await silent.settle(checking);
  expect(checked.health?.found).toMatchObject({ status: "unhealthy", problem: `no answer within ${PROVIDER_CHECK_MS / 1000} s` });
  expect(wasAborted).toBe(true);
});
