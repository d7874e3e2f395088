import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TLSSocket } from "node:tls";
import { attemptForTests, type Attempt, type AttemptProvider, ConnectorError, Network } from "@tutti/connector-kit";
import { freshToken } from "@tutti/connector-kit/conformance";
import type { JsonObject } from "@tutti/model";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { mailConnector } from "./mail-connector.ts";
import { hasLab } from "@tutti/testkit/lab";
import { type MailServer, SmtpDoor, startMail } from "./mail-for-tests.ts";
import { type Heard, type Script, speak } from "./scripted-server-for-tests.ts";

const connector = mailConnector();
const MAIL = { to: "ana@lab.test", subject: "Ready", text: "It is done." };

function attempt(
  provider: AttemptProvider,
  more: Partial<Pick<Attempt, "signal" | "baseDirectory">> = {},
): ReturnType<typeof attemptForTests> {
  return attemptForTests({ token: freshToken(), provider, ...more });
}

async function send(
  provider: AttemptProvider,
  mail: JsonObject = MAIL,
  more: Partial<Pick<Attempt, "signal" | "baseDirectory">> = {},
): Promise<unknown> {
  return connector.functions["mail.send:1"]?.run(mail, attempt(provider, more));
}

async function failure(work: Promise<unknown>): Promise<ConnectorError> {
  const error = await work.then(
    (output) => new Error(`it gave ${JSON.stringify(output)}`),
    (thrown: unknown) => thrown,
  );
  if (error instanceof ConnectorError) return error;
  throw error;
}

describe("against a server that follows a script", () => {
  let door: SmtpDoor | undefined;
  afterEach(() => door?.close());

  async function scripted(script: Script): Promise<{ readonly heard: Heard; readonly provider: AttemptProvider }> {
    const heard: Heard = { commands: [], messages: [] };
    const opened = await SmtpDoor.open((socket) => speak(socket, script, heard));
    door = opened;
    const configuration = { host: "127.0.0.1", port: opened.port, tls: "none", from: "tutti@lab.test" };
    return { heard, provider: { name: "post", configuration, credentials: {} } };
  }

  test("control: what is said as usual is a mail that was taken", async () => {
    const { heard, provider } = await scripted({});
    expect(await send(provider)).toMatchObject({ accepted: ["ana@lab.test"], refused: [], answer: "250 2.0.0 Ok: queued as 1234" });
    expect(heard.messages).toHaveLength(1);
  });

  test("a connection lost after the whole mail was handed over leaves it unknown", async () => {
    const { heard, provider } = await scripted({ end: undefined });
    expect(await failure(send(provider))).toMatchObject({ outcome: "unknown", retryable: true, errorKind: "communication" });
    expect(heard.messages).toHaveLength(1);
  });

  test.each(["greeting", "EHLO", "MAIL", "RCPT", "DATA"])("a connection lost at %s never began", async (word) => {
    const { heard, provider } = await scripted({ [word]: undefined });
    expect(await failure(send(provider))).toMatchObject({ outcome: "never-began", retryable: true });
    expect(heard.messages).toEqual([]);
  });

  test("an abort while the server thinks about the whole mail leaves it unknown", async () => {
    const controller = new AbortController();
    const heard: Heard = { commands: [], messages: [] };
    const opened = await SmtpDoor.open((socket) => {
      speak(socket, { end: "" }, heard);
      socket.on("data", () => {
        if (heard.messages.length > 0) controller.abort(new Error("cancelled"));
      });
    });
    door = opened;
    const configuration = { host: "127.0.0.1", port: opened.port, tls: "none", from: "tutti@lab.test" };
    const error = await failure(send({ name: "post", configuration, credentials: {} }, MAIL, { signal: controller.signal }));
    expect(error).toMatchObject({ outcome: "unknown", errorKind: "timeout" });
  });

  test.each([
    ["RCPT", "452 4.2.2 Mailbox full", true],
    ["RCPT", "550 5.1.1 No such user", false],
    ["MAIL", "451 4.3.0 Try later", true],
    ["end", "554 5.7.1 Looks like spam", false],
    ["end", "451 4.7.1 Greylisted", true],
  ])("%s answered by %s is an answer", async (word, answer, retryable) => {
    const { provider } = await scripted({ [word]: answer });
    const error = await failure(send(provider));
    expect(error).toMatchObject({ outcome: "answered", retryable, errorKind: retryable ? "communication" : "validation" });
    expect(error.message).toContain(answer.slice(4));
  });

  test("a server that offers no STARTTLS gets neither the password nor the mail", async () => {
    const { heard, provider } = await scripted({});
    const credentials = { user: "tutti", password: "secret-0123456789" };
    const error = await failure(send({ ...provider, configuration: { ...provider.configuration, tls: "starttls" }, credentials }));
    expect(error).toMatchObject({ outcome: "never-began", retryable: false, message: expect.stringContaining("`tls`") });
    expect(heard.commands.filter((line) => /AUTH|MAIL|DATA/.test(line))).toEqual([]);
  });

  test("credentials for a server that asks for none are told", async () => {
    const { provider } = await scripted({});
    const error = await failure(send({ ...provider, credentials: { user: "tutti", password: "secret-0123456789" } }));
    expect(error).toMatchObject({ errorKind: "authentication", retryable: false });
  });
});

test("without TLS only this machine is spoken to, and hosts that the operator forbids are not", async () => {
  const configuration = { host: "mail.lab.test", port: 25, tls: "none", from: "tutti@lab.test" };
  const provider = { name: "post", configuration, credentials: {} };
  expect(await failure(send(provider))).toMatchObject({ errorKind: "configuration", outcome: "never-began" });
  const network = new Network({ resolve: async () => [{ address: "169.254.169.254", family: 4 }] });
  const careful = mailConnector({ http: { network } });
  const forbidden = { ...provider, configuration: { ...configuration, tls: "starttls" } };
  const refused = careful.functions["mail.send:1"]?.run(MAIL, attempt(forbidden)) ?? Promise.resolve();
  expect(await failure(refused)).toMatchObject({ errorKind: "authorization", outcome: "never-began", retryable: false });
});

test.each([
  ["no receiver", { ...MAIL, to: [] }],
  ["a subject of two lines", { ...MAIL, subject: "Hello\r\nBcc: eve@lab.test" }],
  ["a receiver of two lines", { ...MAIL, to: "ana@lab.test\r\nRCPT TO:<eve@lab.test>" }],
  ["two receivers in one text", { ...MAIL, to: "ana@lab.test, eve@lab.test" }],
  ["no body", { to: "ana@lab.test", subject: "Ready" }],
])("%s never begins", async (_, mail) => {
  const provider = { name: "post", configuration: { host: "127.0.0.1", port: 9, from: "tutti@lab.test" }, credentials: {} };
  expect(await failure(send(provider, mail))).toMatchObject({ errorKind: "validation", outcome: "never-began" });
});

describe.skipIf(!hasLab)("on the real Postfix", () => {
  let mail: MailServer;
  let directory: string;
  beforeAll(async () => {
    mail = await startMail();
    directory = await mkdtemp(join(tmpdir(), "tutti-mail-files-"));
    await writeFile(join(directory, "terms.txt"), "Be kind.\n");
  }, 300_000);
  afterAll(async () => {
    await mail.stop();
    await rm(directory, { recursive: true, force: true });
  });

  test("a mail arrives as it was written, at everybody, and names nobody of bcc", async () => {
    const provider = mail.provider(mail.port);
    const input = {
      to: ["Ana Lima <ana@lab.test>"],
      cc: "li@lab.test",
      bcc: "audit@lab.test",
      replyTo: "support@lab.test",
      subject: "Grüße",
      text: "Grüß Gott.\n.\nA line with one dot.",
      html: "<p>Grüß Gott.</p>",
      attachments: [{ file: "terms.txt", type: "text/plain" }],
    };
    const own = attempt(provider, { baseDirectory: directory });
    const output = await connector.functions["mail.send:1"]?.run(input, own);
    const messageId = `<${own.token}@lab.test>`;
    expect(output).toMatchObject({ messageId, accepted: ["ana@lab.test", "li@lab.test", "audit@lab.test"], refused: [] });
    const arrived = (await mail.mails(3)).filter((each) => each.includes(messageId));
    expect(arrived.map((each) => /^Delivered-To: (.*)$/m.exec(each)?.[1] ?? "").toSorted()).toEqual([
      "ana@lab.test",
      "audit@lab.test",
      "li@lab.test",
    ]);
    for (const each of arrived) {
      expect(each).toMatch(/^From: Tutti <tutti@lab\.test>$/m);
      expect(each).toMatch(/^To: Ana Lima <ana@lab\.test>$/m);
      expect(each).toMatch(/^Reply-To: support@lab\.test$/m);
      expect(each).toMatch(/^Auto-Submitted: auto-generated$/m);
      expect(each).not.toMatch(/^Bcc:/im);
      expect(each).toContain("=?UTF-8?");
      expect(each).toContain(Buffer.from("Be kind.\n").toString("base64"));
    }
  });

  test("receivers that the server does not take are told, and the others get it", async () => {
    const output = await send(mail.provider(mail.port), { ...MAIL, to: ["ana@lab.test", "eve@refused.lab.test"] });
    expect(output).toMatchObject({
      accepted: ["ana@lab.test"],
      refused: [{ address: "eve@refused.lab.test", answer: expect.stringContaining("554") }],
    });
  });

  test("a certificate of an authority that is not trusted is told with the way out, and nothing is sent", async () => {
    const { configuration, credentials } = mail.provider(mail.port);
    const { authorities: _, ...without } = configuration;
    const error = await failure(send({ name: "post", configuration: without, credentials }));
    expect(error).toMatchObject({ outcome: "never-began", retryable: false, message: expect.stringContaining("signed by itself") });
  });

  test("a connection may be secret from the start", async () => {
    const heard: Heard = { commands: [], messages: [] };
    const door = await SmtpDoor.open((socket) => {
      const secret = new TLSSocket(socket, { isServer: true, ...mail.tls });
      secret.on("error", () => {});
      speak(secret, {}, heard);
    });
    const { configuration } = mail.provider(door.port);
    expect(await send({ name: "post", configuration: { ...configuration, tls: "tls" }, credentials: {} })).toMatchObject({
      accepted: ["ana@lab.test"],
    });
    expect(heard.messages).toHaveLength(1);
    await door.close();
  });

  test.each([
    ["../secret.txt", "outside of the document's directory"],
    ["/etc/passwd", "outside of the document's directory"],
    ["missing.txt", "can't be read"],
  ])("%s is not attached, and the preview says so as well", async (file, why) => {
    const input = { ...MAIL, attachments: [{ file }] };
    const own = attempt(mail.provider(mail.port), { baseDirectory: directory });
    const send = connector.functions["mail.send:1"];
    // One after the other: what fails while nobody listens yet is a stray error.
    for (const work of [async () => send?.run(input, own), async () => send?.preview?.(input, own)])
      expect(await failure(work())).toMatchObject({ outcome: "never-began", message: expect.stringContaining(why) });
  });

  test("the check says what is wrong and the way out", async () => {
    expect(await connector.check?.(attempt(mail.provider(mail.port)))).toEqual({ status: "healthy", version: undefined });
    const denied = mail.provider(mail.port, { credentials: { user: "tutti", password: "wrong-0123456789" } });
    expect(await connector.check?.(attempt(denied))).toMatchObject({ status: "unhealthy", wayOut: expect.stringContaining("credentials") });
    expect(await connector.check?.(attempt(mail.provider(9)))).toMatchObject({
      status: "unhealthy",
      problem: expect.stringContaining("can't be reached"),
    });
  });
});
