import { readFile, stat } from "node:fs/promises";
import { basename } from "node:path";
import { type Attempt, ConnectorError, fileWithin, OutsideDirectoryError } from "@tutti/connector-kit";
import { addressOf, listOf, type PlainAddress, type SendInput } from "./mail-input.ts";

/** Mail servers take 10 to 50 MB, and attachments grow by a third on the way. */
const ATTACHED_BYTES_MAX = 20 * 1024 * 1024;

/**
 * The id of the mail that the call of a token sends: a repetition, by whomever, has the same, by which receivers' servers and programs know it.
 */
export function messageIdOf(token: string, from: PlainAddress): string {
  return `<${token}@${from.address.slice(from.address.lastIndexOf("@") + 1)}>`;
}

/** The mail as it goes over the line. @throws ConnectorError `validation`, never-began: an attachment can't be read, or is too large. */
export async function buildMessage(mail: SendInput, from: PlainAddress, attempt: Attempt): Promise<Buffer> {
  // Loaded when the first mail leaves: a process that sends none does not pay for it.
  const { default: MailComposer } = await import("nodemailer/lib/mail-composer");
  const composer = new MailComposer({
    from,
    to: [...listOf(mail.to)],
    cc: [...listOf(mail.cc)],
    // Never in the mail itself: the composer drops it.
    bcc: [...listOf(mail.bcc)],
    replyTo: mail.replyTo === undefined ? undefined : addressOf(mail.replyTo),
    subject: mail.subject,
    text: mail.text,
    html: mail.html,
    messageId: messageIdOf(attempt.token, from),
    // Robots don't answer it (RFC 3834).
    headers: { "Auto-Submitted": "auto-generated" },
    attachments: await attachmentsOf(mail.attachments, attempt),
    // What a document says is content, never a path or an address to load.
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return composer.compile().build();
}

async function attachmentsOf(
  given: SendInput["attachments"],
  attempt: Attempt,
): Promise<{ readonly filename: string; readonly content: Buffer; readonly contentType?: string }[]> {
  const attachments = [];
  let left = ATTACHED_BYTES_MAX;
  for (const { file, name, type } of given) {
    const content = await readAttachment(file, left, attempt);
    left -= content.length;
    attachments.push({ filename: name ?? basename(file), content, ...(type === undefined ? {} : { contentType: type }) });
  }
  return attachments;
}

async function readAttachment(file: string, bytesMax: number, { baseDirectory }: Attempt): Promise<Buffer> {
  if (baseDirectory === undefined)
    throw unattachable(
      `${file} can't be attached: this document came without a directory. Put the document and the file into one, and start it from there.`,
    );
  try {
    const path = await fileWithin([baseDirectory], file);
    const { size } = await stat(path);
    if (size <= bytesMax) return await readFile(path);
  } catch (cause) {
    const why = cause instanceof OutsideDirectoryError ? "it is outside of the document's directory" : "it can't be read";
    throw unattachable(`${file} can't be attached: ${why}. Attachments are files beside the document.`, cause);
  }
  throw unattachable(
    `${file} can't be attached: all attachments together have at most ${ATTACHED_BYTES_MAX / 1024 / 1024} MiB. Send a link instead.`,
  );
}

function unattachable(message: string, cause?: unknown): ConnectorError {
  return new ConnectorError(message, { kind: "validation", outcome: "never-began", cause });
}
