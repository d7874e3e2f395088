import { z } from "@tutti/connector-kit";

/** More receivers than that are a mailing list, which the mail server keeps. */
const RECEIVERS_MAX = 100;
const ATTACHMENTS_MAX = 20;
/** RFC 5322 lets a line have 998 characters; nobody reads so long a subject. */
const SUBJECT_CHARACTERS_MAX = 500;
const BODY_CHARACTERS_MAX = 1_000_000;
const ADDRESS_CHARACTERS_MAX = 320;

const ADDRESS = /^[^\s<>@,;:"()[\]\\]+@[^\s<>@,;:"()[\]\\]+$/;
const NAMED_ADDRESS = /^([^\r\n<>]*)<([^<>]*)>$/;

/** `ana@example.org` or `Ana Lima <ana@example.org>`. */
export const Address = z
  .string()
  .max(ADDRESS_CHARACTERS_MAX)
  .refine((text) => ADDRESS.test(addressOf(text).address), "is a mail address such as ana@example.org or Ana Lima <ana@example.org>");

const Receivers = z.union([Address, z.array(Address).max(RECEIVERS_MAX)]);
const Line = z.string().regex(/^[^\r\n]*$/, "is one line");

const Attachment = z.strictObject({
  file: z.string().min(1).max(1000).meta({ description: "A file beside the workflow's document" }),
  name: Line.min(1).max(200).optional().meta({ description: "What the receiver sees; without it the file's own name" }),
  type: z
    .string()
    .regex(/^[\w.+-]+\/[\w.+-]+$/, "is a media type such as application/pdf")
    .optional(),
});

export const SendInput = z
  .strictObject({
    to: Receivers,
    cc: Receivers.optional(),
    bcc: Receivers.optional().meta({ description: "They get it and are named to nobody" }),
    from: Address.optional().meta({ description: "Instead of the provider's own" }),
    replyTo: Address.optional(),
    subject: Line.min(1).max(SUBJECT_CHARACTERS_MAX),
    text: z.string().min(1).max(BODY_CHARACTERS_MAX).optional(),
    html: z.string().min(1).max(BODY_CHARACTERS_MAX).optional(),
    attachments: z.array(Attachment).max(ATTACHMENTS_MAX).default([]),
  })
  .refine(({ text, html }) => text !== undefined || html !== undefined, "has text, html, or both")
  .refine((mail) => {
    const count = receiversOf(mail).length;
    return count >= 1 && count <= RECEIVERS_MAX;
  }, `has 1 to ${RECEIVERS_MAX} receivers`);
export type SendInput = z.infer<typeof SendInput>;

interface Receiving {
  readonly to: string | readonly string[];
  readonly cc?: string | readonly string[] | undefined;
  readonly bcc?: string | readonly string[] | undefined;
}

export interface PlainAddress {
  readonly name: string;
  readonly address: string;
}

export function addressOf(text: string): PlainAddress {
  const [, name = "", address = ""] = NAMED_ADDRESS.exec(text.trim()) ?? [];
  if (address === "") return { name: "", address: text.trim() };
  return { name: name.trim().replace(/^"(.*)"$/, "$1"), address: address.trim() };
}

export function listOf(receivers: string | readonly string[] | undefined): readonly PlainAddress[] {
  if (receivers === undefined) return [];
  return (typeof receivers === "string" ? [receivers] : receivers).map(addressOf);
}

/** Everybody who gets it, each once, in the order in which they are named. */
export function receiversOf(mail: Receiving): readonly string[] {
  return [...new Set([mail.to, mail.cc, mail.bcc].flatMap((each) => listOf(each).map(({ address }) => address)))];
}
