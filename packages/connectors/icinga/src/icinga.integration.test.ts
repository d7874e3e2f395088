import { httpClient } from "@tutti/connector-http";
import { callsForTests } from "@tutti/connector-kit/conformance";
import { Network } from "@tutti/connector-kit";
import type { JsonObject } from "@tutti/model";
import { Token } from "@tutti/model/schemas";
import { hasLab } from "@tutti/testkit/lab";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { icingaConnector } from "./icinga-connector.ts";
import { type Icinga, startIcinga } from "./icinga-for-tests.ts";

const connector = icingaConnector();
let icinga: Icinga;
const { attempt, call, undo } = callsForTests(connector, () => icinga.provider(icinga.plainUrl));
const TOKEN = Token.parse(`tok_${"5".repeat(32)}`);
const PASSIVE = { checkCommand: "passive", activeChecks: false, maxCheckAttempts: 2 };

async function web(host = "web1"): Promise<void> {
  await call("host.create:1", { host, attributes: { address: "198.18.0.1", ...PASSIVE, vars: { os: "Linux" } } });
}

describe.skipIf(!hasLab)("icinga", () => {
  beforeAll(async () => {
    icinga = await startIcinga();
  });
  afterEach(() => icinga.empty());
  afterAll(() => icinga.stop());

  test("a problem is reported, awaited once it is hard, acknowledged, and taken back", async () => {
    await web();
    const down = { host: "web1", state: "down", output: "no answer" };
    await call("host.submit-result:1", { ...down, state: "up", output: "there" });
    await call("host.submit-result:1", down);
    expect(await call("host.read:1", { host: "web1" })).toMatchObject({ current: { state: "down", isHard: false, output: "no answer" } });
    const awaited = call("host.await:1", { host: "web1", states: ["down"], withinSeconds: 30 });
    await call("host.submit-result:1", down);
    expect(await awaited).toMatchObject({ state: "down", isHard: true });
    await expect(call("host.await:1", { host: "web1", withinSeconds: 0 })).rejects.toMatchObject({ retryable: true, errorKind: "timeout" });
    const seen = { host: "web1", comment: "I look" };
    const output = await call("host.acknowledge:1", seen);
    expect(await call("host.list:1", { problems: true, match: "web*" })).toMatchObject({ hosts: [{ host: "web1", isAcknowledged: true }] });
    // Somebody else's acknowledgement is found, and its undo leaves it.
    const again = await call("host.acknowledge:1", seen);
    expect(again).toMatchObject({ token: null });
    await undo("host.acknowledge:1", seen, again);
    expect(await call("host.read:1", { host: "web1" })).toMatchObject({ isAcknowledged: true });
    await undo("host.acknowledge:1", seen, output);
    expect(await call("host.read:1", { host: "web1" })).toMatchObject({ isAcknowledged: false });
  });

  test("a downtime of a host and its services is one call, and one undo", async () => {
    await web();
    await call("service.create:1", { host: "web1", service: "http", attributes: PASSIVE });
    const input = { host: "web1", allServices: true, comment: "Works", durationSeconds: 600, flexibleSeconds: 60 };
    const preview = await connector.functions["downtime.schedule:1"]?.preview?.(input, attempt());
    expect(preview?.effects).toHaveLength(2);
    const output = await call("downtime.schedule:1", input);
    const { downtimes } = await call("downtime.list:1", { host: "web1" });
    const said = { isFixed: false, token: output["token"], comment: "Works" };
    expect(downtimes).toMatchObject([said, said]);
    await undo("downtime.schedule:1", input, output);
    expect(await call("downtime.list:1", {})).toEqual({ downtimes: [] });
  });

  test("what somebody else has changed since is left, and said; so is what others have made on a host", async () => {
    await web();
    const input = { host: "web1", attributes: { notes: "one", vars: { os: "BSD" } } };
    const output = await call("host.change:1", input);
    await call("host.change:1", { host: "web1", attributes: { vars: { os: "Plan 9" } } });
    await expect(undo("host.change:1", input, output)).rejects.toThrow("Somebody has changed the host web1");
    const made = await call("host.create:1", { host: "web2", attributes: PASSIVE });
    await call("service.create:1", { host: "web2", service: "http", attributes: PASSIVE });
    await expect(undo("host.create:1", { host: "web2", attributes: PASSIVE }, made)).rejects.toThrow("delete them first, or say cascade");
    const preview = await connector.functions["host.delete:1"]?.preview?.({ host: "web2", cascade: true }, attempt());
    expect(preview?.effects.map(({ name }) => name)).toEqual(["web2", "web2!http"]);
    await call("host.delete:1", { host: "web2", cascade: true });
    await expect(call("host.delete:1", { host: "localhost" })).rejects.toThrow("configuration files");
    await expect(call("host.create:1", { host: "localhost", attributes: PASSIVE })).rejects.toThrow("Choose another name");
    await expect(call("host.create:1", { host: "web3", attributes: { checkCommand: "nothing" } })).rejects.toThrow("does not exist");
    await expect(call("service.create:1", { host: "web4", service: "http", attributes: PASSIVE })).rejects.toMatchObject({
      errorKind: "validation",
    });
    await expect(call("host.change:1", { host: "web1", attributes: { notes: "***" } })).rejects.toThrow("held a secret");
  });

  test("what was before is kept with the change until the end is stored, and then nothing of it is left", async () => {
    await web();
    const own = attempt({ token: TOKEN });
    const input = { host: "web1", attributes: { notes: "one" } };
    await connector.functions["host.change:1"]?.run(input, own);
    const noted = async (): Promise<string> => JSON.stringify(await icinga.ask("GET", "/objects/hosts/web1?attrs=vars"));
    expect(await noted()).toContain(TOKEN);
    expect(await call("host.change:1", input, { token: TOKEN })).toMatchObject({ before: { notes: "" }, after: { notes: "one" } });
    expect(await noted()).not.toContain(TOKEN);
  });

  test.each<[string, JsonObject]>([
    ["a host that is a service", { host: "a!b", attributes: {} }],
    ["a variable of our own", { host: "a", attributes: { vars: { tutti_token: "x" } } }],
    ["a variable that is more than a name", { host: "a", attributes: { vars: { 'x"] = 1; //': 1 } } }],
    ["an attribute that Icinga has and this has not", { host: "a", attributes: { event_command: "x" } }],
  ])("never begins: %s", async (_, input) => {
    await expect(call("host.create:1", input)).rejects.toMatchObject({ outcome: "never-began", errorKind: "validation" });
  });

  test("by TLS with an authority that is trusted; without it the certificate's problem is told", async () => {
    const trusting = icingaConnector({ http: httpClient({ network: new Network({ certificateAuthorities: [icinga.authority] }) }) });
    const provider = icinga.provider(icinga.url);
    expect(await trusting.check?.(attempt({ provider }))).toEqual({ status: "healthy", version: expect.stringMatching(/^2\.\d+\.\d+$/) });
    expect(await connector.check?.(attempt({ provider }))).toMatchObject({
      status: "unhealthy",
      problem: expect.stringContaining("certificate"),
    });
    expect(await connector.check?.(attempt({ provider: icinga.provider(icinga.plainUrl, "wrong-password") }))).toMatchObject({
      problem: expect.stringContaining("(401)"),
      wayOut: expect.stringContaining("ApiUser"),
    });
  });
});
