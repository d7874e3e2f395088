import type { HttpClient } from "@tutti/connector-http";
import { type ConnectorFunction, parseInput, z } from "@tutti/connector-kit";
import type { Json, JsonObject, Token } from "@tutti/model";
import { DELETED } from "./change-functions.ts";
import { refusal, RtApi } from "./rt-api.ts";
import {
  CustomFields,
  existingTicket,
  type LoadedTicket,
  madeUri,
  quoted,
  searchTickets,
  shownTicket,
  Subject,
  Ticket,
  TicketId,
} from "./tickets.ts";
import { bodyOf, listsOf, plainValues, TicketValues, valuesOf } from "./ticket-values.ts";

/** What a person reads; Request Tracker itself takes more. */
const CONTENT_CHARACTERS_MAX = 1_000_000;
const PEOPLE_MAX = 100;
/** Tickets of one token: one, and those of a request that the network has doubled. */
const OF_A_TOKEN_MAX = 20;
const FOUND_DEFAULT = 50;
const FOUND_MAX = 1000;
const QUERY_CHARACTERS_MAX = 4000;

const People = z.array(z.string().min(1).max(200)).max(PEOPLE_MAX);
export const Content = z.string().min(1).max(CONTENT_CHARACTERS_MAX);
const CreateInput = z.strictObject({
  queue: z.string().min(1).max(200),
  subject: Subject,
  text: Content.optional().meta({ description: "The first message" }),
  html: Content.optional().meta({ description: "The first message in HTML, instead of text" }),
  requestors: People.optional().meta({ description: "Mail addresses or users; they may be sent a mail by Request Tracker" }),
  cc: People.optional(),
  adminCc: People.optional(),
  owner: TicketValues.shape.owner,
  status: TicketValues.shape.status,
  priority: TicketValues.shape.priority,
  customFields: CustomFields.optional(),
});
type CreateInput = z.infer<typeof CreateInput>;
const CreateOutput = z.strictObject({
  ticket: z.string(),
  /** Where a person finds it. */
  url: z.string(),
  token: z.string(),
});
const GetInput = z.strictObject({ ticket: TicketId });
const SearchInput = z.strictObject({
  query: z.string().min(1).max(QUERY_CHARACTERS_MAX).meta({ description: "TicketSQL: Queue = 'General' AND Status = '__Active__'" }),
  limit: z.number().int().min(1).max(FOUND_MAX).default(FOUND_DEFAULT),
  orderBy: z.enum(["id", "Created", "LastUpdated", "Priority", "Due", "Subject"]).default("id"),
  descending: z.boolean().default(false),
});
const SearchOutput = z.strictObject({
  tickets: z.array(Ticket),
  /** How many there are; no more than `limit` are given. */ total: z.number(),
});

const Created = z.object({ id: z.coerce.string().regex(/^\d+$/) });

export function ticketFunctions(http: HttpClient): Readonly<Record<string, ConnectorFunction>> {
  const times = { requestTimeoutMs: http.limits.headTimeoutMs, settleMs: 0 };

  /**
   * Findable: a link to `tutti:<token>` stands in the ticket from its first moment on. Request Tracker takes any number of equal tickets, so an absent
   * one is believed only when no request can arrive any more; of a doubled request the first ticket counts, and the others are deleted.
   */
  const create: ConnectorFunction = {
    ...times,
    title: "Make a ticket",
    input: CreateInput,
    output: CreateOutput,
    effect: "findable",
    creates: "ticket",
    undo: { call: "ticket.delete:1", with: { ticket: "${ .output.ticket }", token: "${ .output.token }" } },
    run: async (given, attempt) => {
      const input = parseInput(CreateInput, given);
      const api = new RtApi(http, attempt);
      const earlier = attempt.number > 1 ? await ticketOfToken(api, attempt.token) : undefined;
      if (earlier !== undefined) return outputOf(api, earlier.ticket, attempt.token);
      const body = await requestOf(api, input, attempt.token);
      await api.ask({ method: "POST", path: "/ticket", body }, Created);
      const made = await ticketOfToken(api, attempt.token);
      if (made === undefined)
        throw refusal(
          `Request Tracker has made a ticket that the account of provider ${api.provider} may not see: give it the right ShowTicket.`,
        );
      await mustBeWhole(api, made, input);
      return outputOf(api, made.ticket, attempt.token);
    },
    find: async (given, attempt) => {
      parseInput(CreateInput, given);
      const api = new RtApi(http, attempt);
      const found = await ticketOfToken(api, attempt.token);
      return found === undefined ? undefined : outputOf(api, found.ticket, attempt.token);
    },
    preview: async (given, attempt) => {
      const input = parseInput(CreateInput, given);
      const api = new RtApi(http, attempt);
      const { queue = input.queue, owner = "Nobody" } = await plainValues(api, { queue: input.queue, owner: input.owner });
      const { subject, status, priority, requestors = [], cc = [], adminCc = [], customFields = {} } = input;
      const after = {
        subject,
        queue,
        owner,
        requestors: requestors.toSorted(),
        cc: cc.toSorted(),
        adminCc: adminCc.toSorted(),
        ...(status === undefined ? {} : { status }),
        ...(priority === undefined ? {} : { priority }),
        customFields: listsOf(customFields),
        token: attempt.token,
      };
      // Values of a ticket are data. The number is Request Tracker's to give.
      return {
        effects: [{ kind: "create", resource: "ticket", after: after as unknown as Json, isReversible: true }],
        output: { token: attempt.token },
      };
    },
  };

  const get: ConnectorFunction = {
    ...times,
    title: "Read a ticket",
    input: GetInput,
    output: Ticket,
    effect: "read",
    run: async (given, attempt) => shownTicket(await existingTicket(new RtApi(http, attempt), parseInput(GetInput, given).ticket)),
  };

  const search: ConnectorFunction = {
    ...times,
    title: "Find tickets by TicketSQL",
    input: SearchInput,
    output: SearchOutput,
    effect: "read",
    run: async (given, attempt) => {
      const { query, limit, orderBy, descending } = parseInput(SearchInput, given);
      const order = { orderby: orderBy, order: descending ? "DESC" : "ASC" };
      const { tickets, total } = await searchTickets(new RtApi(http, attempt), query, { itemsMax: limit, order });
      return { tickets: tickets.map(shownTicket), total };
    },
  };

  return { "ticket.create:1": create, "ticket.get:1": get, "ticket.search:1": search };
}

/** The ticket that a call has made. Of several that a doubled request made, the first; the others are deleted. */
async function ticketOfToken(api: RtApi, token: Token): Promise<LoadedTicket | undefined> {
  const { tickets } = await searchTickets(api, `RefersTo = ${quoted(madeUri(token))}`, { itemsMax: OF_A_TOKEN_MAX });
  const [first, ...doubles] = tickets;
  for (const { ticket } of doubles) await api.send({ method: "PUT", path: `/ticket/${ticket}`, body: { Status: DELETED } });
  return first;
}

async function requestOf(api: RtApi, input: CreateInput, token: Token): Promise<JsonObject> {
  const { owner } = await plainValues(api, { owner: input.owner });
  const content =
    input.html === undefined ? { Content: input.text, ContentType: "text/plain" } : { Content: input.html, ContentType: "text/html" };
  const body = {
    Queue: input.queue,
    Subject: input.subject,
    ...(content.Content === undefined ? {} : content),
    Requestor: input.requestors,
    Cc: input.cc,
    AdminCc: input.adminCc,
    Owner: owner,
    Status: input.status,
    Priority: input.priority,
    CustomFields: input.customFields,
    RefersTo: [madeUri(token)],
  };
  // What was not given is left out.
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined)) as JsonObject;
}

/** Request Tracker makes a ticket also without the owner or the custom fields that it does not know. @throws ConnectorError with the ticket deleted. */
async function mustBeWhole(api: RtApi, made: LoadedTicket, input: CreateInput): Promise<void> {
  const { owner, customFields } = input;
  const wanted = await plainValues(api, { owner, customFields });
  const missing = [
    ...Object.keys(bodyOf({ ...wanted, customFields: {} }, valuesOf(made, wanted))),
    ...Object.entries(wanted.customFields ?? {})
      .filter(([name, values]) => values.length > 0 && `${made.customFields[name]?.join("\n")}` !== values.join("\n"))
      .map(([name]) => name),
  ];
  if (missing.length === 0) return;
  await api.send({ method: "PUT", path: `/ticket/${made.ticket}`, body: { Status: DELETED } });
  const known = [...made.fieldNames.values()].join(", ") || "none";
  throw refusal(
    `Request Tracker has made ticket ${made.ticket} without ${missing.join(", ")}, so it was deleted: correct the value, or give the account the right. Custom fields of this queue: ${known}.`,
  );
}

function outputOf(api: RtApi, ticket: string, token: Token): JsonObject {
  return { ticket, url: api.urlOf(ticket), token };
}
