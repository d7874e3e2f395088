import type { AttemptProvider } from "@tutti/connector-kit";
import { callsForTests, freshToken } from "@tutti/connector-kit/conformance";
import { isJsonObject, type Json, type JsonObject } from "@tutti/model";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { requestTrackerConnector } from "./request-tracker-connector.ts";
import { hasLab } from "@tutti/testkit/lab";
import { type Rt, startRt } from "./rt-for-tests.ts";

const connector = requestTrackerConnector();
const { attempt, call, undo } = callsForTests(connector, () => rt.provider(rt.url));
let rt: Rt;

async function ticket(more: JsonObject = {}): Promise<string> {
  const made = await call("ticket.create:1", { queue: "one", subject: "A disk", ...more });
  return made["ticket"] as string;
}

async function links(id: string): Promise<readonly string[]> {
  const found = await rt.ask("GET", `/ticket/${id}`);
  const all = isJsonObject(found) && Array.isArray(found["_hyperlinks"]) ? found["_hyperlinks"] : [];
  return all.flatMap((each) => (isJsonObject(each) && each["ref"] === "refers-to" ? [each["_url"] as string] : []));
}

describe.skipIf(!hasLab)("request-tracker", () => {
  beforeAll(async () => {
    rt = await startRt();
  }, 300_000);
  afterAll(() => rt.stop());

  test("a token logs in as well, and the account must have one or the other", async () => {
    const token = rt.provider(rt.url, { token: rt.token });
    expect(await connector.check?.(attempt({ provider: token }))).toEqual({ status: "healthy", version: expect.stringMatching(/^5\./) });
    const wrong = rt.provider(rt.url, { token: "1-14-0123456789abcdef" });
    expect(await connector.check?.(attempt({ provider: wrong }))).toMatchObject({
      status: "unhealthy",
      wayOut: expect.stringContaining("Auth Tokens"),
    });
    const incomplete: readonly JsonObject[] = [{}, { user: "root" }, { token: rt.token, user: "root", password: "x" }];
    for (const credentials of incomplete) {
      const provider = rt.provider(rt.url, credentials);
      await expect(call("ticket.get:1", { ticket: 1 }, { provider })).rejects.toMatchObject({
        errorKind: "configuration",
        outcome: "never-began",
      });
    }
  });

  test("of a request that the network has doubled one ticket stays", async () => {
    const token = freshToken();
    const body = { Queue: "one", Subject: "twice", RefersTo: [`tutti:${token}`] };
    const first = await rt.ask("POST", "/ticket", body);
    await rt.ask("POST", "/ticket", body);
    const input = { queue: "one", subject: "twice" };
    const found = await connector.functions["ticket.create:1"]?.find?.(input, attempt({ token }));
    expect(found).toMatchObject({ ticket: isJsonObject(first) ? first["id"] : "" });
    expect(await call("ticket.search:1", { query: "Subject = 'twice'" })).toMatchObject({ total: 1 });
    expect(await call("ticket.create:1", input, { token, number: 2 })).toEqual(found);
    expect(await call("ticket.search:1", { query: "Subject = 'twice'" })).toMatchObject({ total: 1 });
  });

  test("a ticket without what was asked for is not left behind", async () => {
    const input = { queue: "one", subject: "half a ticket", customFields: { Nonsense: "x", Server: "web1" } };
    await expect(call("ticket.create:1", input)).rejects.toThrow(/without Nonsense, so it was deleted.*Hosts, Server|Server, Hosts/);
    expect(await call("ticket.search:1", { query: "Subject = 'half a ticket'" })).toMatchObject({ total: 0 });
  });

  test("a change that is refused in part is put back as a whole", async () => {
    const id = await ticket();
    const set = { subject: "Another", priority: 9, status: "nonsense" };
    await expect(call("ticket.update:1", { ticket: id, set })).rejects.toMatchObject({
      outcome: "answered",
      retryable: false,
      message: expect.stringContaining("has not set Status"),
      detail: expect.arrayContaining([expect.stringContaining("isn't a valid status")]),
    });
    expect(await call("ticket.get:1", { ticket: id })).toMatchObject({ subject: "A disk", priority: 0, status: "new" });
    expect(await links(id)).toHaveLength(1);
  });

  test("an undo leaves what somebody else has set since, and says so", async () => {
    const id = await ticket({ owner: "root" });
    const input = { ticket: id, set: { status: "stalled", customFields: { Hosts: ["a", "b"] } } };
    const output = await call("ticket.update:1", input);
    expect(output).toMatchObject({ before: { status: "new", customFields: { Hosts: [] } } });
    await rt.ask("PUT", `/ticket/${id}`, { Status: "open" });
    await expect(undo("ticket.update:1", input, output)).rejects.toThrow("another Status than was expected");
    expect(await call("ticket.get:1", { ticket: id })).toMatchObject({ status: "open", customFields: { Hosts: ["a", "b"] } });
    await rt.ask("PUT", `/ticket/${id}`, { Status: "stalled" });
    await undo("ticket.update:1", input, output);
    expect(await call("ticket.get:1", { ticket: id })).toMatchObject({ status: "new", customFields: {} });
  });

  test("what was before is known after a lost answer, whatever others have done since; the mark goes when the end is stored", async () => {
    const id = await ticket({ customFields: { Hosts: ["a"], Server: "web1" }, priority: 3 });
    const set = {
      owner: "root",
      queue: "two",
      subject: "Ours",
      priority: 7,
      status: "open",
      customFields: { Hosts: ["b", "c"], Server: "web2" },
    };
    const token = freshToken();
    const first = await connector.functions["ticket.update:1"]?.run({ ticket: id, set }, attempt({ token }));
    expect(await links(id)).toContain(`tutti:change:${token}`);
    await rt.ask("PUT", `/ticket/${id}`, { Priority: 8, Status: "resolved" });
    const again = await call("ticket.update:1", { ticket: id, set }, { token, number: 2 });
    expect(await call("ticket.get:1", { ticket: id })).toMatchObject({ priority: 8, status: "resolved", owner: "root", queue: "two" });
    expect(again).toEqual(first);
    expect(again["before"]).toEqual({
      owner: "Nobody",
      queue: "one",
      subject: "A disk",
      priority: 3,
      status: "new",
      customFields: { Hosts: ["a"], Server: ["web1"] },
    });
    expect(await links(id)).not.toContain(`tutti:change:${token}`);
  });

  test("an update of nothing new writes nothing", async () => {
    const id = await ticket({ priority: 3 });
    const history = async (): Promise<Json> => rt.ask("GET", `/ticket/${id}/history`);
    const before = await history();
    const output = await call("ticket.update:1", { ticket: id, set: { priority: 3, status: "NEW" } });
    expect(output["before"]).toMatchObject({ priority: 3, status: "new" });
    expect(await history()).toEqual(before);
  });

  test("a link that was there before stays when the call is taken back", async () => {
    const [one, other] = [await ticket(), await ticket()];
    const input = { ticket: one, relation: "refersTo", to: "https://wiki.lab.test/disks" };
    const made = await call("ticket.link:1", input);
    const found = await call("ticket.link:1", input);
    expect([made["wasLinked"], found["wasLinked"]]).toEqual([false, true]);
    await undo("ticket.link:1", input, found);
    expect(await call("ticket.get:1", { ticket: one })).toMatchObject({
      links: [{ relation: "refersTo", to: "https://wiki.lab.test/disks" }],
    });
    await undo("ticket.link:1", input, made);
    expect(await call("ticket.get:1", { ticket: one })).toMatchObject({ links: [] });
    await call("ticket.link:1", { ticket: one, relation: "dependsOn", to: other });
    await expect(call("ticket.delete:1", { ticket: one })).rejects.toThrow("has not set Status");
    await expect(call("ticket.link:1", { ticket: one, relation: "refersTo", to: "tutti:tok_1" })).rejects.toMatchObject({
      outcome: "never-began",
    });
  });

  test("a comment and a reply are told apart, with their author, and found under their tokens", async () => {
    const id = await ticket({ requestors: ["ana@lab.test"] });
    const token = freshToken();
    const comment = await call("ticket.comment:1", { ticket: id, text: "[tok_x] it's odd", subject: "A word" }, { token });
    await call("ticket.reply:1", { ticket: id, html: "<p>We are at it.</p>" });
    const all = (await connector.resources?.["message"]?.list(attempt())) ?? [];
    expect(all.filter((each) => isJsonObject(each) && each["ticket"] === id)).toMatchObject([
      { message: comment["message"], kind: "comment", author: "root", subject: "A word", token },
      { kind: "reply", author: "root", subject: "A disk" },
    ]);
    const again = await call("ticket.comment:1", { ticket: id, text: "[tok_x] it's odd", subject: "A word" }, { token, number: 2 });
    expect(again).toEqual(comment);
    expect(await connector.resources?.["message"]?.list(attempt())).toHaveLength(all.length);
  });

  test("only the tickets and messages of the named queues are listed", async () => {
    await ticket({ queue: "two", subject: "elsewhere" });
    const provider: AttemptProvider = { ...rt.provider(rt.url), configuration: { url: rt.url, queues: ["two", "it's none"] } };
    const listed = (await connector.resources?.["ticket"]?.list(attempt({ provider }))) ?? [];
    expect(listed.length).toBeGreaterThan(0);
    expect(listed.every((each) => isJsonObject(each) && each["queue"] === "two")).toBe(true);
  });

  test("a query's mistake is told in Request Tracker's words, and a limit holds", async () => {
    await expect(call("ticket.search:1", { query: "nonsense((" })).rejects.toThrow(/400.*expecting a OPERATOR/);
    const found = await call("ticket.search:1", { query: "id > 0", limit: 1, descending: true });
    expect(found["tickets"]).toHaveLength(1);
    expect(found["total"]).toBeGreaterThan(1);
  });

  test.each([
    ["a queue that is not there", "ticket.create:1", { queue: "none", subject: "x" }, "authorization"],
    ["an owner that is not there", "ticket.create:1", { queue: "one", subject: "x", owner: "nobody-here" }, "validation"],
    ["a ticket that is not there", "ticket.comment:1", { ticket: 999_999, text: "x" }, "validation"],
  ])("%s is a refusal for good", async (_, name, input, errorKind) => {
    await expect(call(name, input)).rejects.toMatchObject({ errorKind, outcome: "answered", retryable: false });
  });

  test("an input that does not fit never begins", async () => {
    for (const [name, input] of [
      ["ticket.create:1", { queue: "one", subject: "two\nlines" }],
      ["ticket.get:1", { ticket: "1/history" }],
      ["ticket.comment:1", { ticket: 1 }],
      ["ticket.comment:1", { ticket: 1, text: "a", html: "b" }],
    ] as const)
      await expect(call(name, input)).rejects.toMatchObject({ errorKind: "validation", outcome: "never-began" });
  });
});
