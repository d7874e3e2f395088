import { connectorLaws, type ConnectorUnderTest } from "@tutti/connector-kit/conformance";
import { afterAll, beforeAll, describe, test } from "vitest";
import { mailConnector } from "./mail-connector.ts";
import { hasLab } from "@tutti/testkit/lab";
import { type MailServer, smtpTarget, startMail } from "./mail-for-tests.ts";

let mail: MailServer | undefined;

/** The real Postfix of `lab/mail.sh`. */
const UNDER_TEST: ConnectorUnderTest = {
  connector: mailConnector(),
  functions: {
    "mail.send:1": {
      input: ({ name }) => ({
        to: ["Ana Lima <ana@lab.test>", "li@lab.test"],
        cc: "ops@lab.test",
        bcc: ["audit@lab.test"],
        subject: `Grüße ${name}`,
        text: "It is done.",
        html: "<p>It is done.</p>",
      }),
      refused: ({ name }) => ({ to: "ana@refused.lab.test", subject: name, text: "nobody takes it" }),
    },
  },
  open: async (fault) => {
    if (mail === undefined) throw new Error("the mail server is started before the laws are asked");
    return smtpTarget(mail)(fault);
  },
  cleanUp: async () => {},
};

describe.skipIf(!hasLab)("mail on the real Postfix", () => {
  beforeAll(async () => {
    mail = await startMail();
  }, 300_000);
  afterAll(async () => mail?.stop());

  for (const law of connectorLaws(UNDER_TEST)) test(`${law.name}`, () => law.run());
});
