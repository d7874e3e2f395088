import type { HttpClient } from "@tutti/connector-http";
import { type ConnectorFunction, parseInput, z } from "@tutti/connector-kit";
import type { JsonObject, Token } from "@tutti/model";
import { type ApiRequest, refusal, RtApi } from "./rt-api.ts";
import { Content } from "./ticket-functions.ts";
import { existingTicket, quoted, TicketId } from "./tickets.ts";

/** Messages that one listing gives; an installation with more names the queues that count. */
const MESSAGES_LISTED_MAX = 10_000;
/** The subject with its token has to fit into the column of 255 bytes by which it is found. */
const SUBJECT_CHARACTERS_MAX = 100;
/** Messages of one token: one, and those of a request that the network has doubled. */
const OF_A_TOKEN_MAX = 20;

const WRITTEN = /^([^]*?)\s*\[(tok_[0-9a-f]{32})\]\s*$/;

const MessageInput = z
  .strictObject({
    ticket: TicketId,
    text: Content.optional(),
    html: Content.optional().meta({ description: "Instead of text" }),
    subject: z
      .string()
      .trim()
      .min(1)
      .max(SUBJECT_CHARACTERS_MAX)
      .regex(/^[^\r\n]*$/, "is one line")
      .optional()
      .meta({ description: "Of the message; without it the ticket's. The token is added to it" }),
  })
  .refine(({ text, html }) => (text === undefined) !== (html === undefined), "has text or html");
type MessageInput = z.infer<typeof MessageInput>;
const MessageOutput = z.strictObject({ ticket: z.string(), message: z.string(), token: z.string() });

/** A comment or a reply, as a listing shows it. */
export const Message = z.strictObject({
  message: z.string(),
  ticket: z.string(),
  kind: z.enum(["comment", "reply"]),
  author: z.string(),
  subject: z.string(),
  token: z.string().nullable(),
});
export type Message = z.infer<typeof Message>;

const KINDS = { Comment: "comment", Correspond: "reply" } as const;
const Transaction = z.object({
  id: z.coerce.string(),
  Type: z.string(),
  ObjectId: z.coerce.string().optional(),
  Object: z.union([z.object({ id: z.coerce.string() }), z.literal("")]).optional(),
  Creator: z.object({ id: z.coerce.string() }),
  /** The subject of the message. */
  Data: z.string().nullish(),
});

export function messageFunctions(http: HttpClient): Readonly<Record<string, ConnectorFunction>> {
  const times = { requestTimeoutMs: http.limits.headTimeoutMs, settleMs: 0 };
  /**
   * Findable: the token stands in the message's subject. Request Tracker takes any number of equal messages and takes none back, so an absent one is
   * believed only when no request can arrive any more.
   */
  const message = (title: string, kind: "comment" | "correspond"): ConnectorFunction => ({
    ...times,
    title,
    input: MessageInput,
    output: MessageOutput,
    effect: "findable",
    irreversible: true,
    creates: "message",
    run: async (given, attempt) => {
      const input = parseInput(MessageInput, given);
      const api = new RtApi(http, attempt);
      const earlier = attempt.number > 1 ? await messageOfToken(api, attempt.token) : undefined;
      if (earlier !== undefined) return outputOf(earlier, attempt.token);
      const { ticket, subject } = await existingTicket(api, input.ticket);
      const body = requestOf(input, `${input.subject ?? subject.slice(0, SUBJECT_CHARACTERS_MAX)} [${attempt.token}]`);
      await api.ask({ method: "POST", path: `/ticket/${ticket}/${kind}`, body }, z.array(z.unknown()));
      const made = await messageOfToken(api, attempt.token);
      if (made === undefined)
        throw refusal(
          `Ticket ${ticket} has got a message that the account of provider ${api.provider} may not see: give it the rights ShowTicket and ShowTicketComments.`,
        );
      return outputOf(made, attempt.token);
    },
    find: async (given, attempt) => {
      parseInput(MessageInput, given);
      const found = await messageOfToken(new RtApi(http, attempt), attempt.token);
      return found === undefined ? undefined : outputOf(found, attempt.token);
    },
    preview: async (given, attempt) => {
      const input = parseInput(MessageInput, given);
      const { ticket, subject } = await existingTicket(new RtApi(http, attempt), input.ticket);
      const shown = {
        ticket,
        kind: kind === "comment" ? "comment" : "reply",
        subject: input.subject ?? subject.slice(0, SUBJECT_CHARACTERS_MAX),
      };
      return {
        // The number is Request Tracker's to give.
        effects: [{ kind: "create", resource: "message", after: { ...shown, token: attempt.token }, isReversible: false }],
        output: { ticket, token: attempt.token },
      };
    },
  });
  return {
    "ticket.comment:1": message("Comment a ticket: colleagues read it", "comment"),
    "ticket.reply:1": message("Reply on a ticket: Request Tracker mails it to its requestors", "correspond"),
  };
}

/** All comments and replies of the provider's queues. */
export async function listMessages(api: RtApi): Promise<readonly Message[]> {
  const ofQueue = api.queues === undefined ? "" : ` AND (${api.queues.map((queue) => `TicketQueue = ${quoted(queue)}`).join(" OR ")})`;
  const { items, total } = await transactions(api, `(Type = 'Comment' OR Type = 'Correspond')${ofQueue}`, MESSAGES_LISTED_MAX);
  if (total > MESSAGES_LISTED_MAX)
    throw refusal(
      `Provider ${api.provider} has ${total} messages, and a listing holds ${MESSAGES_LISTED_MAX}: name the queues that count in its configuration.`,
    );
  return items;
}

/** A comment or reply by its number. */
export async function loadMessage(api: RtApi, id: string): Promise<Message | undefined> {
  const request: ApiRequest = { method: "GET", path: `/transaction/${encodeURIComponent(id)}`, allow: [404] };
  const answer = await api.send(request);
  return answer.status === 404 ? undefined : messageOf(api.read(request, answer, Transaction));
}

async function messageOfToken(api: RtApi, token: Token): Promise<Message | undefined> {
  // Without its brackets: a query with one is taken for JSON by Request Tracker.
  const query = `(Type = 'Comment' OR Type = 'Correspond') AND Data LIKE ${quoted(token)}`;
  const { items } = await transactions(api, query, OF_A_TOKEN_MAX);
  return items.find((message) => message.token === token);
}

async function transactions(
  api: RtApi,
  query: string,
  itemsMax: number,
): Promise<{ readonly items: readonly Message[]; readonly total: number }> {
  const found = await api.collect({ path: "/transactions", query: { query, fields: "Type,ObjectId,Creator,Data" }, itemsMax }, Transaction);
  return { items: found.items.flatMap((each) => messageOf(each) ?? []), total: found.total };
}

function messageOf(transaction: z.infer<typeof Transaction>): Message | undefined {
  const { id, Type: type, ObjectId: objectId, Object: object, Creator: creator, Data: data } = transaction;
  const ticket = objectId ?? (typeof object === "object" ? object.id : undefined);
  const kind = type === "Comment" || type === "Correspond" ? KINDS[type] : undefined;
  if (kind === undefined || ticket === undefined) return undefined;
  const [, subject, token] = WRITTEN.exec(data ?? "") ?? [];
  return { message: id, ticket, kind, author: creator.id, subject: subject ?? (data ?? "").trim(), token: token ?? null };
}

function requestOf({ text, html }: MessageInput, subject: string): JsonObject {
  return { Subject: subject, Content: html ?? text ?? "", ContentType: html === undefined ? "text/plain" : "text/html" };
}

function outputOf({ ticket, message }: Message, token: Token): JsonObject {
  return { ticket, message, token };
}
