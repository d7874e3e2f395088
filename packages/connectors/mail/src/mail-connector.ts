import { type HttpClient, httpClient } from "@tutti/connector-http";
import {
  type Connector,
  ConnectorError,
  type ConnectorFunction,
  defineConnector,
  type Health,
  parseInput,
  type ProviderAccess,
  z,
} from "@tutti/connector-kit";
import { addressOf, listOf, receiversOf, SendInput } from "./mail-input.ts";
import { CONFIGURATION, CREDENTIALS, mailProvider } from "./mail-provider.ts";
import { buildMessage, messageIdOf } from "./message.ts";
import { DEFAULT_SMTP_LIMITS, type SmtpDeps, type SmtpLimits, SmtpSession } from "./smtp-session.ts";

export interface MailConnectorOptions {
  /** Whose network the connections go through: the same way out, the same authorities. */
  readonly http?: Pick<HttpClient, "network">;
  readonly limits?: Partial<SmtpLimits>;
}

const SendOutput = z.strictObject({
  messageId: z.string(),
  /** The server has taken the mail for these. */
  accepted: z.array(z.string()),
  /** And not for these; when it takes it for nobody, the call fails. */
  refused: z.array(z.strictObject({ address: z.string(), answer: z.string() })),
  /** What the server said, often with the number of the mail in its queue. */
  answer: z.string(),
});

/** Mails through a mail server (SMTP). */
export function mailConnector(options: MailConnectorOptions = {}): Connector {
  const { network } = options.http ?? httpClient();
  const deps: SmtpDeps = { network, limits: { ...DEFAULT_SMTP_LIMITS, ...options.limits } };
  return defineConnector({
    name: "mail",
    version: "1.0.0",
    target: { system: "Postfix", tested: "3.7" },
    configuration: CONFIGURATION,
    credentials: CREDENTIALS,
    check: (access) => check(deps, access),
    functions: { "mail.send:1": sendFunction(deps) },
  });
}

/**
 * Unsafe: SMTP has no way to ask what became of a mail, and no server drops a second one. The Message-ID comes from the token, so whoever receives a
 * mail twice after all can tell. What is lost before the whole mail was handed over never began, so that the doubt is small.
 */
function sendFunction(deps: SmtpDeps): ConnectorFunction {
  return {
    title: "Send a mail",
    input: SendInput,
    output: SendOutput,
    effect: "unsafe",
    irreversible: true,
    requestTimeoutMs: deps.limits.idleMs,
    settleMs: 0,
    run: async (given, attempt) => {
      const mail = parseInput(SendInput, given);
      const provider = mailProvider(deps.network, attempt);
      const from = addressOf(mail.from ?? provider.from);
      const message = await buildMessage(mail, from, attempt);
      const session = await SmtpSession.open(provider, attempt, deps);
      try {
        const taken = await session.send({ from: from.address, to: receiversOf(mail) }, message);
        session.quit();
        attempt.log("info", `${provider.host} has taken the mail for ${taken.accepted.length} of ${receiversOf(mail).length} receivers.`);
        return {
          messageId: messageIdOf(attempt.token, from),
          accepted: [...taken.accepted],
          refused: taken.refused.map(({ address, answer }) => ({ address, answer })),
          answer: taken.answer,
        };
      } catch (error) {
        session.end();
        throw error;
      }
    },
    preview: async (given, attempt) => {
      const mail = parseInput(SendInput, given);
      const provider = mailProvider(deps.network, attempt);
      const from = addressOf(mail.from ?? provider.from);
      // Attachments that can't be read are told now and not in the middle of the run.
      await buildMessage(mail, from, attempt);
      const addresses = (receivers: typeof mail.cc): string[] => listOf(receivers).map(({ address }) => address);
      const after = { from: from.address, to: addresses(mail.to), cc: addresses(mail.cc), bcc: addresses(mail.bcc), subject: mail.subject };
      return {
        effects: [{ kind: "send", resource: "mail", name: receiversOf(mail).join(", "), after, isReversible: false }],
        output: { messageId: messageIdOf(attempt.token, from) },
      };
    },
  };
}

async function check(deps: SmtpDeps, access: ProviderAccess): Promise<Health> {
  try {
    const session = await SmtpSession.open(mailProvider(deps.network, access), access, deps);
    session.quit();
    return { status: "healthy", version: undefined };
  } catch (error) {
    if (!(error instanceof ConnectorError)) throw error;
    const wayOut =
      error.errorKind === "authentication"
        ? "Correct the secrets of the credentials user and password."
        : "Look at host, port and tls of the provider, and at the server's own log.";
    return { status: "unhealthy", version: undefined, problem: error.message, wayOut };
  }
}
