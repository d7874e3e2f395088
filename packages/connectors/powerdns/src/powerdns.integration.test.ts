import { callsForTests, freshToken } from "@tutti/connector-kit/conformance";
import { isJsonObject, type Json } from "@tutti/model";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { hasLab } from "@tutti/testkit/lab";
import { type Pdns, startPdns } from "./pdns-for-tests.ts";
import { powerdnsConnector } from "./powerdns-connector.ts";

const connector = powerdnsConnector();
const { attempt, call, undo } = callsForTests(connector, () => pdns.provider(pdns.url));
let pdns: Pdns;

async function records(zone: string, name: string, type = "A"): Promise<Json> {
  return (await call("recordset.list:1", { zone, name, type }))["recordSets"] ?? null;
}

describe.skipIf(!hasLab)("powerdns", () => {
  beforeAll(async () => {
    pdns = await startPdns();
  });
  afterEach(() => pdns.empty());
  afterAll(() => pdns.stop());

  test("an undo leaves what somebody else has written since, and says so", async () => {
    await call("zone.create:1", { name: "lab.test" });
    const input = { zone: "lab.test", name: "www", type: "A", records: ["10.0.0.1"] };
    const output = await call("recordset.set:1", input);
    await call("recordset.set:1", { ...input, records: ["10.0.0.9"] });
    await expect(undo("recordset.set:1", input, output)).rejects.toThrow("somebody has changed it since");
    expect(await records("lab.test", "www")).toMatchObject([{ records: ["10.0.0.9"] }]);
    const removed = await call("recordset.delete:1", { zone: "lab.test", name: "www", type: "A" });
    await call("recordset.set:1", { ...input, records: ["10.0.0.8"] });
    await expect(undo("recordset.delete:1", {}, removed)).rejects.toThrow("somebody has changed it since");
    expect(await records("lab.test", "www")).toMatchObject([{ records: ["10.0.0.8"] }]);
  });

  test("changes of one record set are taken back one after the other, with the comments of others", async () => {
    await call("zone.create:1", { name: "lab.test" });
    const byHand = { content: "ask Ana", account: "ops", modified_at: 1_700_000_000 };
    const rrset = { name: "www.lab.test.", type: "A", ttl: 60, changetype: "REPLACE", records: [{ content: "10.0.0.1", disabled: false }] };
    await pdns.ask("PATCH", "/zones/lab.test.", { rrsets: [{ ...rrset, comments: [byHand] }] });
    const first = { zone: "lab.test", name: "www", type: "A", records: ["10.0.0.2"] };
    const second = { ...first, records: ["10.0.0.3"], comment: "ticket 7" };
    const outputs = [await call("recordset.set:1", first), await call("recordset.set:1", second)];
    await undo("recordset.set:1", second, outputs[1] ?? null);
    expect(await records("lab.test", "www")).toMatchObject([{ records: ["10.0.0.2"] }]);
    await undo("recordset.set:1", first, outputs[0] ?? null);
    expect(await pdns.ask("GET", "/zones/lab.test.")).toMatchObject({
      rrsets: expect.arrayContaining([expect.objectContaining({ name: "www.lab.test.", ttl: 60, comments: [byHand] })]),
    });
  });

  test("what is kept for the undo is gone once the end is stored, and stays while it may be needed", async () => {
    await call("zone.create:1", { name: "lab.test" });
    const input = { zone: "lab.test", name: "www", type: "A", records: ["10.0.0.1"] };
    const notes = async (): Promise<readonly unknown[]> => {
      const all = await pdns.ask("GET", "/zones/lab.test./metadata");
      return (Array.isArray(all) ? all : []).filter(
        (each: Json) => isJsonObject(each) && String(each["kind"] as string).startsWith("X-TUTTI"),
      );
    };
    const token = freshToken();
    await connector.functions["recordset.set:1"]?.run(input, attempt({ token }));
    expect(await notes()).toHaveLength(1);
    await call("recordset.set:1", input, { token });
    expect(await notes()).toEqual([]);
    const refused = { ...input, records: ["nonsense"] };
    await expect(call("recordset.set:1", refused)).rejects.toMatchObject({ outcome: "answered", retryable: false });
    expect(await notes()).toEqual([]);
  });

  test("a zone that was made is not deleted by the undo while it holds records of others, or when it is another one", async () => {
    const input = { name: "lab.test", nameservers: ["ns1.lab.test"] };
    const output = await call("zone.create:1", input);
    await call("recordset.set:1", { zone: "lab.test", name: "www", type: "A", records: ["10.0.0.1"] });
    await expect(undo("zone.create:1", input, output)).rejects.toThrow(
      "holds 1 record sets that this does not know, such as www.lab.test. A",
    );
    await pdns.empty();
    await call("zone.create:1", input);
    await expect(undo("zone.create:1", input, output)).rejects.toThrow("somebody has made another one of this name");
    expect(await call("zone.list:1", {})).toMatchObject({ zones: [{ name: "lab.test." }] });
  });

  test("a later attempt of a call whose input was corrected does what is asked now, and knows what was before the first", async () => {
    await call("zone.create:1", { name: "lab.test" });
    const input = { zone: "lab.test", name: "www", type: "A", records: ["10.0.0.1"] };
    await call("recordset.set:1", input);
    const token = freshToken();
    await connector.functions["recordset.set:1"]?.run({ ...input, records: ["10.0.0.2"] }, attempt({ token }));
    const corrected = { ...input, records: ["10.0.0.3"] };
    const output = await call("recordset.set:1", corrected, { token });
    expect(await records("lab.test", "www")).toMatchObject([{ records: ["10.0.0.3"] }]);
    await undo("recordset.set:1", corrected, output);
    expect(await records("lab.test", "www")).toMatchObject([{ records: ["10.0.0.1"] }]);
  });

  test("what was masked in the records of a run is never written back", async () => {
    await call("zone.create:1", { name: "lab.test" });
    const place = { zone: "lab.test", name: "key", type: "TXT" };
    const { token } = await call("recordset.set:1", { ...place, records: ['"new"'] });
    const before = { ttl: 60, records: [{ content: '"***"', disabled: false }], comments: [], token: null };
    const back = call("recordset.restore:1", { ...place, before, token: token ?? null });
    await expect(back).rejects.toMatchObject({ outcome: "never-began", message: expect.stringContaining("held a secret") });
    expect(await records("lab.test", "key", "TXT")).toMatchObject([{ records: ['"new"'] }]);
  });

  test("a zone's settings are not taken back over what somebody has set since", async () => {
    await call("zone.create:1", { name: "lab.test" });
    const output = await call("zone.change:1", { name: "lab.test", kind: "Master" });
    await pdns.ask("PUT", "/zones/lab.test.", { kind: "Native", soa_edit_api: "EPOCH" });
    await expect(undo("zone.change:1", { name: "lab.test" }, output)).rejects.toThrow("somebody has changed them since");
  });

  test("a name outside of the zone, and an input that does not fit, never begin", async () => {
    const place = { zone: "lab.test", type: "A", records: ["10.0.0.1"] };
    await expect(call("recordset.set:1", { ...place, name: "www.other.test." })).rejects.toMatchObject({ outcome: "never-began" });
    await expect(call("recordset.set:1", { ...place, name: "www", type: "SOA" })).rejects.toMatchObject({ outcome: "never-began" });
    await expect(call("recordset.set:1", { ...place, name: "www", records: [] })).rejects.toMatchObject({ outcome: "never-began" });
  });

  test("the check tells a server that works from one that can't be worked with", async () => {
    expect(await connector.check?.(attempt())).toEqual({ status: "healthy", version: expect.stringMatching(/^\d+\.\d+/) });
    const { configuration } = pdns.provider(pdns.url);
    const wrongKey = await connector.check?.(attempt({ provider: pdns.provider(pdns.url, "wrong") }));
    expect(wrongKey).toMatchObject({ status: "unhealthy", wayOut: expect.stringContaining("apiKey") });
    const other = { ...pdns.provider(pdns.url), configuration: { ...configuration, server: "elsewhere" } };
    expect(await connector.check?.(attempt({ provider: other }))).toMatchObject({
      status: "unhealthy",
      problem: expect.stringContaining("no server"),
    });
  });
});
