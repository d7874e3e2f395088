import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasLab } from "@tutti/testkit/lab";
import { type MailServer, PASSWORD, startMail } from "../../packages/connectors/mail/src/mail-for-tests.ts";
import { tutti, workDirectory } from "./tutti-process.ts";

const TELL = `document: { dsl: 1.0.3, namespace: default, name: tell, version: 1.0.0 }
do:
  - tell:
      call: mail.send:1@mail
      with:
        to: '\${ .customer }'
        subject: '\${ "Server " + .server + " is ready" }'
        text: '\${ "Dear customer,\\n\\nyour server " + .server + " is ready." }'
        attachments: [{ file: terms.txt }]
`;

describe.skipIf(!hasLab)("with a real mail server", () => {
  let mail: MailServer;
  beforeAll(async () => {
    mail = await startMail();
  }, 300_000);
  afterAll(() => mail.stop());

  test("a workflow sends a mail through a provider that was added, from its own texts and a file beside it", async () => {
    const directory = workDirectory({ "tell.yaml": TELL, "terms.txt": "Be kind.\n" });
    mkdirSync(join(directory, ".tutti/secrets"), { recursive: true, mode: 0o700 });
    for (const [name, value] of [
      ["mailUser", "tutti"],
      ["mailPassword", PASSWORD],
    ] as const)
      writeFileSync(join(directory, ".tutti/secrets", name), value, { mode: 0o600 });
    const settings = ["host=127.0.0.1", `port=${mail.port}`, "from=Operations <ops@lab.test>", `authorities=${mail.tls.cert}`];
    const credentials = ["user=mailUser", "password=mailPassword"];
    const added = await tutti(directory, [
      "provider",
      "add",
      "post",
      "--connector=mail",
      ...settings.flatMap((each) => ["--set", each]),
      ...credentials.flatMap((each) => ["--credential", each]),
    ]);
    expect(added).toMatchObject({ code: 0, out: expect.stringMatching(/^post {2}mail {2}healthy/) });
    const input = ["--set", "customer=ana@lab.test", "--set", "server=web1"];
    const done = await tutti(directory, ["run", "start", "tell.yaml", ...input, "--wait", "--json"]);
    expect([done.code, done.error]).toEqual([0, ""]);
    const [arrived, ...more] = await mail.mails(1);
    expect(more).toEqual([]);
    expect(arrived).toMatch(/^Subject: Server web1 is ready$/m);
    expect(arrived).toMatch(/^Message-ID: <tok_[0-9a-f]{32}@lab\.test>$/m);
    expect(arrived).toContain("your server web1 is ready.");
    expect(arrived).toContain(Buffer.from("Be kind.\n").toString("base64"));
    expect(done.out + added.out).not.toContain(PASSWORD);
  });
});
