import type { HttpClient } from "@tutti/connector-http";
import { ConnectorError, type ConnectorFunction, type EffectPreview, parseInput, z } from "@tutti/connector-kit";
import { beginChange, forgetChange, type HistoryRecord } from "./history.ts";
import { refusal, RtApi } from "./rt-api.ts";
import { existingTicket, type Link, type LoadedTicket, Relation, RELATIONS, shownTicket, TicketId } from "./tickets.ts";

/** The column of links holds 240 characters. */
const URI_CHARACTERS_MAX = 240;

const LinkInput = z.strictObject({
  ticket: TicketId,
  relation: Relation.meta({ description: "What the ticket does to the other one; the other direction is said of the other ticket" }),
  to: z
    .union([
      TicketId,
      z
        .url()
        .max(URI_CHARACTERS_MAX)
        .refine((uri) => !uri.startsWith("tutti:"), "does not begin with tutti:"),
    ])
    .meta({ description: "The number of another ticket, or a URI" }),
});
type LinkInput = z.infer<typeof LinkInput>;
const LinkOutput = z.strictObject({ ticket: z.string(), /** It was linked so before: an undo leaves it. */ wasLinked: z.boolean() });
const UnlinkInput = LinkInput.extend({
  keep: z.boolean().default(false).meta({ description: "Leaves the link: for the undo of a call that found it there" }),
});
const UnlinkOutput = z.strictObject({ ticket: z.string() });

export function linkFunctions(http: HttpClient): Readonly<Record<string, ConnectorFunction>> {
  const times = { requestTimeoutMs: http.limits.headTimeoutMs, settleMs: 0 };

  /** Idempotent: a link is there or not, and the ticket's history since the mark of the token says who made it. */
  const link: ConnectorFunction = {
    ...times,
    title: "Link a ticket to another one, or to a URI",
    input: LinkInput,
    output: LinkOutput,
    effect: "idempotent",
    changes: "ticket",
    undo: {
      call: "ticket.unlink:1",
      with: { ticket: "${ .output.ticket }", relation: "${ .input.relation }", to: "${ .input.to }", keep: "${ .output.wasLinked }" },
    },
    run: async (given, attempt) => {
      const input = parseInput(LinkInput, given);
      const api = new RtApi(http, attempt);
      const ticket = await existingTicket(api, input.ticket);
      const isLinked = holds(ticket, input);
      const isBegun = ticket.changing.includes(attempt.token);
      if (isLinked && !isBegun) return { ticket: ticket.ticket, wasLinked: true };
      const records = await beginChange(api, attempt, ticket);
      // Linked by an earlier attempt; when it is not any more, somebody has taken it away since.
      const isOurs = (records ?? []).some((record) => isLinking(record, input));
      if (isLinked || isOurs) return { ticket: ticket.ticket, wasLinked: !isOurs };
      const { field } = RELATIONS[input.relation];
      const sentences = await api.ask(
        { method: "PUT", path: `/ticket/${ticket.ticket}`, body: { [`Add${field}`]: `${input.to}` } },
        z.array(z.string().nullable()),
      );
      if (holds(await existingTicket(api, ticket.ticket), input)) return { ticket: ticket.ticket, wasLinked: false };
      await forgetChange(api, attempt, ticket);
      throw refusal(
        `Request Tracker does not link ticket ${ticket.ticket} to ${input.to}: correct the number, or give the account the right.`,
        sentences.map((sentence) => api.told(sentence ?? "")),
      );
    },
    preview: async (given, attempt) => {
      const input = parseInput(LinkInput, given);
      const ticket = await existingTicket(new RtApi(http, attempt), input.ticket);
      const wasLinked = holds(ticket, input);
      return { ...effectOn(ticket, wasLinked, true), output: { ticket: ticket.ticket, wasLinked } };
    },
  };

  /** Idempotent: a desired state. */
  const unlink: ConnectorFunction = {
    ...times,
    title: "Take a link of a ticket away",
    input: UnlinkInput,
    output: UnlinkOutput,
    effect: "idempotent",
    changes: "ticket",
    run: async (given, attempt) => {
      const input = parseInput(UnlinkInput, given);
      const api = new RtApi(http, attempt);
      const ticket = await existingTicket(api, input.ticket);
      if (input.keep || !holds(ticket, input)) return { ticket: ticket.ticket };
      const { field } = RELATIONS[input.relation];
      await api.send({ method: "PUT", path: `/ticket/${ticket.ticket}`, body: { [`Delete${field}`]: `${input.to}` } });
      if (!holds(await existingTicket(api, ticket.ticket), input)) return { ticket: ticket.ticket };
      throw new ConnectorError(
        `Request Tracker keeps the link of ticket ${ticket.ticket} to ${input.to}: give the account of provider ${api.provider} the right ModifyTicket.`,
        { kind: "authorization", outcome: "answered" },
      );
    },
    preview: async (given, attempt) => {
      const input = parseInput(UnlinkInput, given);
      const ticket = await existingTicket(new RtApi(http, attempt), input.ticket);
      return { ...effectOn(ticket, input.keep || !holds(ticket, input), false), output: { ticket: ticket.ticket } };
    },
  };
  return { "ticket.link:1": link, "ticket.unlink:1": unlink };
}

function effectOn(ticket: LoadedTicket, isDone: boolean, isReversible: boolean): Pick<EffectPreview, "effects"> {
  if (isDone) return { effects: [] };
  return { effects: [{ kind: "change", resource: "ticket", name: ticket.ticket, before: shownTicket(ticket), isReversible }] };
}

function holds(ticket: LoadedTicket, input: LinkInput): boolean {
  return ticket.links.some((each: Link) => each.relation === input.relation && each.to === `${input.to}`);
}

/** Links to tickets are kept as `fsck.com-rt://<organization>/ticket/<number>`. */
function isLinking({ Type: type, Field: field, NewValue: value }: HistoryRecord, { relation, to }: LinkInput): boolean {
  if (type !== "AddLink" || field !== RELATIONS[relation].field) return false;
  return value === `${to}` || (value ?? "").endsWith(`/ticket/${to}`);
}
