import { z } from "@tutti/connector-kit";
import { type ApiRequest, refusal, type RtApi } from "./rt-api.ts";

/** Tickets that one listing gives; an installation with more names the queues that count. */
const TICKETS_LISTED_MAX = 10_000;
/** Request Tracker's column holds 255 bytes at most. */
export const CUSTOM_VALUE_CHARACTERS_MAX = 255;
/** The column of subjects holds 200 characters. */
export const SUBJECT_CHARACTERS_MAX = 200;
const CUSTOM_FIELDS_MAX = 100;
const VALUES_MAX = 100;

/** The number of a ticket; the output of an earlier call is a text, what a person writes is a number. */
export const TicketId = z
  .union([z.number().int().positive().max(Number.MAX_SAFE_INTEGER), z.string().regex(/^[1-9]\d{0,15}$/, "is the number of a ticket")])
  .meta({ description: "The ticket's number" });
export type TicketId = z.infer<typeof TicketId>;

export const Subject = z
  .string()
  .trim()
  .min(1)
  .max(SUBJECT_CHARACTERS_MAX)
  .regex(/^[^\r\n]*$/, "is one line");
const CustomValue = z.string().min(1).max(CUSTOM_VALUE_CHARACTERS_MAX);
export const CustomFields = z
  .record(z.string().min(1).max(200), z.union([CustomValue, z.array(CustomValue).max(VALUES_MAX)]))
  .refine((fields) => Object.keys(fields).length <= CUSTOM_FIELDS_MAX, `has at most ${CUSTOM_FIELDS_MAX} fields`)
  .meta({ description: "Values by the name of the custom field; an empty list takes all away" });

export type CustomFields = z.infer<typeof CustomFields>;

/** Relations of a ticket to others, by their names in Request Tracker and in its answers. The other direction is said of the other ticket. */
export const RELATIONS = {
  dependsOn: { field: "DependsOn", shown: "depends-on" },
  memberOf: { field: "MemberOf", shown: "parent" },
  refersTo: { field: "RefersTo", shown: "refers-to" },
} as const;
export type Relation = keyof typeof RELATIONS;
export const Relation = z.enum(["dependsOn", "memberOf", "refersTo"]);

const Link = z.strictObject({ relation: Relation, to: z.string() });
export type Link = z.infer<typeof Link>;

/** A ticket as people know it, without what changes by itself. */
export const Ticket = z.strictObject({
  ticket: z.string(),
  subject: z.string(),
  status: z.string(),
  queue: z.string(),
  owner: z.string(),
  priority: z.number(),
  requestors: z.array(z.string()),
  cc: z.array(z.string()),
  adminCc: z.array(z.string()),
  /** Sorted values by the field's name, those without a value left out. */
  customFields: z.record(z.string(), z.array(z.string())),
  links: z.array(Link),
  /** Of the call that made it; null when it was no call of Tutti. */
  token: z.string().nullable(),
});
export type Ticket = z.infer<typeof Ticket>;

const People = z.array(z.object({ id: z.coerce.string() }));
const CustomFieldAnswer = z.object({ id: z.coerce.string(), name: z.string(), values: z.array(z.unknown()) });
/** What both a single ticket and an item of a search have; a search says `""` of an empty list. */
const TicketAnswer = z.object({
  id: z.coerce.string().regex(/^\d+$/),
  Subject: z.string().nullish(),
  Status: z.string(),
  Queue: z.object({ Name: z.string() }),
  Owner: z.object({ id: z.coerce.string() }),
  Priority: z.coerce.number(),
  Requestor: People,
  Cc: People,
  AdminCc: People,
  CustomFields: z.union([z.array(CustomFieldAnswer), z.literal("")]),
  _hyperlinks: z.array(
    z.object({ ref: z.string(), type: z.string().optional(), id: z.coerce.string().optional(), _url: z.string().optional() }),
  ),
});
type TicketAnswer = z.infer<typeof TicketAnswer>;

/** How the URI begins that says who made a ticket, or who is changing it. */
const TOKEN_URI = "tutti:";
const MADE = /^tutti:(tok_[0-9a-f]{32})$/;
const CHANGING = /^tutti:change:(tok_[0-9a-f]{32})$/;

/** The link that a ticket made by the call of this token holds. */
export function madeUri(token: string): string {
  return `${TOKEN_URI}${token}`;
}

/** The link that a ticket holds while the end of a change is not stored. */
export function changingUri(token: string): string {
  return `${TOKEN_URI}change:${token}`;
}

/** A ticket with what only the connector itself needs. */
export interface LoadedTicket extends Ticket {
  /** Tokens of changes whose end is not stored. */
  readonly changing: readonly string[];
  /** Names of the custom fields by their ids, those without a value too. */
  readonly fieldNames: ReadonlyMap<string, string>;
}

/** The part that is told. */
export function shownTicket(loaded: LoadedTicket): Ticket {
  const { changing: _, fieldNames: __, ...ticket } = loaded;
  return ticket;
}

const TICKET_FIELDS = {
  fields: "Subject,Status,Queue,Owner,Priority,Requestor,Cc,AdminCc,CustomFields,_hyperlinks",
  "fields[Queue]": "Name",
};

/** A ticket, also one of the status `deleted`; undefined when there is none of this number. */
export async function loadTicket(api: RtApi, ticket: TicketId): Promise<LoadedTicket | undefined> {
  const request: ApiRequest = {
    method: "GET",
    path: `/ticket/${encodeURIComponent(ticket)}`,
    query: { "fields[Queue]": "Name" },
    allow: [404],
  };
  const answer = await api.send(request);
  return answer.status === 404 ? undefined : ticketOf(api.read(request, answer, TicketAnswer));
}

/** @throws ConnectorError `validation` when there is no such ticket, or it is deleted. */
export async function existingTicket(api: RtApi, ticket: TicketId): Promise<LoadedTicket> {
  const found = await loadTicket(api, ticket);
  if (found === undefined)
    throw refusal(`There is no ticket ${ticket} that the account of provider ${api.provider} may see: correct the number, or its rights.`);
  return found;
}

/** Tickets of a TicketSQL query, the oldest first unless the query's order says otherwise. Deleted ones are never found. */
export async function searchTickets(
  api: RtApi,
  query: string,
  options: { readonly itemsMax: number; readonly order?: Readonly<Record<string, string>> },
): Promise<{ readonly tickets: readonly LoadedTicket[]; readonly total: number }> {
  const { items, total } = await api.collect(
    { path: "/tickets", query: { query, ...TICKET_FIELDS, ...options.order }, itemsMax: options.itemsMax },
    TicketAnswer,
  );
  return { tickets: items.map(ticketOf), total };
}

/** All tickets of the provider's queues. @throws ConnectorError `configuration` when they are too many to be listed. */
export async function listTickets(api: RtApi): Promise<readonly LoadedTicket[]> {
  const query = api.queues === undefined ? "id > 0" : api.queues.map((queue) => `Queue = ${quoted(queue)}`).join(" OR ");
  const { tickets, total } = await searchTickets(api, query, { itemsMax: TICKETS_LISTED_MAX });
  if (total > TICKETS_LISTED_MAX)
    throw refusal(
      `Provider ${api.provider} has ${total} tickets, and a listing holds ${TICKETS_LISTED_MAX}: name the queues that count in its configuration.`,
    );
  return tickets;
}

/** A text in TicketSQL. */
export function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}

function ticketOf(answer: TicketAnswer): LoadedTicket {
  const links = answer._hyperlinks.flatMap((link): (Link & { readonly uri: string })[] => {
    const relation = Relation.options.find((each) => RELATIONS[each].shown === link.ref);
    const to = link.type === "ticket" ? link.id : link._url;
    return relation === undefined || to === undefined ? [] : [{ relation, to, uri: link._url ?? "" }];
  });
  const fields = answer.CustomFields === "" ? [] : answer.CustomFields;
  const made = links.flatMap(({ uri }) => MADE.exec(uri)?.[1] ?? []);
  return {
    ticket: answer.id,
    subject: answer.Subject ?? "",
    status: answer.Status,
    queue: answer.Queue.Name,
    owner: answer.Owner.id,
    priority: answer.Priority,
    requestors: answer.Requestor.map(({ id }) => id).toSorted(),
    cc: answer.Cc.map(({ id }) => id).toSorted(),
    adminCc: answer.AdminCc.map(({ id }) => id).toSorted(),
    customFields: Object.fromEntries(
      fields
        .map(({ name, values }) => [name, values.filter((value) => typeof value === "string").toSorted()] as const)
        .filter(([, values]) => values.length > 0)
        .toSorted(([a], [b]) => (a < b ? -1 : 1)),
    ),
    links: links
      .filter(({ to }) => !to.startsWith(TOKEN_URI))
      .map(({ relation, to }) => ({ relation, to }))
      .toSorted((a, b) => (`${a.relation} ${a.to}` < `${b.relation} ${b.to}` ? -1 : 1)),
    token: made[0] ?? null,
    changing: links.flatMap(({ uri }) => CHANGING.exec(uri)?.[1] ?? []),
    fieldNames: new Map(fields.map(({ id, name }) => [id, name])),
  };
}
