import { z } from "@tutti/connector-kit";
import { isDeepStrictEqual } from "node:util";
import type { JsonObject } from "@tutti/model";
import type { HistoryRecord } from "./history.ts";
import { refusal, type RtApi } from "./rt-api.ts";
import { CustomFields, type LoadedTicket, Subject } from "./tickets.ts";

const PRIORITY_MAX = 1_000_000;

/** What of a ticket can be set. */
export const TicketValues = z.strictObject({
  subject: Subject.optional(),
  status: z.string().min(1).max(64).optional().meta({ description: "A status of the queue's life cycle: open, stalled, resolved" }),
  queue: z.string().min(1).max(200).optional(),
  owner: z.string().min(1).max(200).optional().meta({ description: "A user's name; Nobody takes the owner away" }),
  priority: z.number().int().min(0).max(PRIORITY_MAX).optional(),
  customFields: CustomFields.optional(),
});
export type TicketValues = z.infer<typeof TicketValues>;

/** Values as Request Tracker itself names them, custom fields as sorted lists. */
export interface PlainValues {
  readonly subject?: string;
  readonly status?: string;
  readonly queue?: string;
  readonly owner?: string;
  readonly priority?: number;
  readonly customFields?: Readonly<Record<string, readonly string[]>>;
}

const PLAIN = ["subject", "status", "queue", "owner", "priority"] as const;
/** Their names in requests and in the history. */
const RT_NAMES = { subject: "Subject", status: "Status", queue: "Queue", owner: "Owner", priority: "Priority" } as const;

const Named = z.object({ Name: z.string() });

/**
 * The values with queue and owner by their names, so that they can be compared with what is there.
 *
 * @throws ConnectorError `validation` when there is no such queue, user or custom field.
 */
export async function plainValues(api: RtApi, given: TicketValues, ticket?: LoadedTicket): Promise<PlainValues> {
  const { customFields, ...values } = given;
  const known = new Set(ticket?.fieldNames.values());
  for (const name of Object.keys(customFields ?? {}))
    if (ticket !== undefined && given.queue === undefined && !known.has(name))
      throw refusal(`Ticket ${ticket.ticket} has no custom field ${name}; there are: ${[...known].join(", ") || "none"}.`);
  return {
    ...values,
    ...(values.owner === undefined ? {} : { owner: await nameOf(api, "user", values.owner) }),
    ...(values.queue === undefined ? {} : { queue: await nameOf(api, "queue", values.queue) }),
    ...(customFields === undefined ? {} : { customFields: listsOf(customFields) }),
  };
}

export function listsOf(fields: CustomFields): Readonly<Record<string, readonly string[]>> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, typeof value === "string" ? [value] : value.toSorted()]));
}

async function nameOf(api: RtApi, kind: "user" | "queue", name: string): Promise<string> {
  const request = { method: "GET", path: `/${kind}/${encodeURIComponent(name)}`, allow: [404] } as const;
  const answer = await api.send(request);
  if (answer.status === 404) throw refusal(`Request Tracker has no ${kind} ${name}: correct the name, or make it first.`);
  return api.read(request, answer, Named).Name;
}

/** What of `values` a ticket has, in the same members. */
export function valuesOf(ticket: LoadedTicket, values: PlainValues): PlainValues {
  const fields = Object.keys(values.customFields ?? {}).map((name) => [name, ticket.customFields[name] ?? []] as const);
  return {
    ...Object.fromEntries(PLAIN.filter((name) => values[name] !== undefined).map((name) => [name, ticket[name]])),
    ...(values.customFields === undefined ? {} : { customFields: Object.fromEntries(fields) }),
  };
}

/** The members of `wanted` that `there` has otherwise, as the body of a request. */
export function bodyOf(wanted: PlainValues, there: PlainValues): JsonObject {
  const changed = PLAIN.filter((name) => wanted[name] !== undefined && folded(name, wanted) !== folded(name, there));
  const fields = Object.entries(wanted.customFields ?? {}).filter(([name, value]) => !isSame(value, there.customFields?.[name]));
  return {
    ...Object.fromEntries(changed.map((name) => [RT_NAMES[name], wanted[name] ?? null])),
    ...(fields.length === 0 ? {} : { CustomFields: Object.fromEntries(fields.map(([name, value]) => [name, [...value]])) }),
  };
}

/** Request Tracker takes a status in any case. */
function folded(name: (typeof PLAIN)[number], values: PlainValues): string | number | undefined {
  return name === "status" ? values.status?.toLowerCase() : values[name];
}

export function isSame(one: unknown, other: unknown): boolean {
  return isDeepStrictEqual(one, other);
}

/** What the ticket had before the records were written, in the members of `values`. */
export async function valuesBefore(
  api: RtApi,
  ticket: LoadedTicket,
  values: PlainValues,
  records: readonly HistoryRecord[],
): Promise<PlainValues> {
  const before: Record<string, string | number> = {};
  const now = valuesOf(ticket, values);
  for (const name of PLAIN) {
    const current = now[name];
    if (current === undefined) continue;
    const first = records.find(({ Field: field }) => field === RT_NAMES[name])?.OldValue ?? undefined;
    before[name] = first === undefined ? current : await valueOf(api, name, first);
  }
  if (now.customFields === undefined) return before;
  return { ...before, customFields: fieldsBefore(ticket, now.customFields, records) };
}

/**
 * Whether all that differs from `before` has been set as wanted since. What others have made of it afterwards is theirs: an attempt that comes back
 * after hours does not open a ticket again that somebody has resolved.
 */
export async function wasSet(
  api: RtApi,
  ticket: LoadedTicket,
  change: { readonly wanted: PlainValues; readonly before: PlainValues; readonly records: readonly HistoryRecord[] },
): Promise<boolean> {
  const { wanted, before, records } = change;
  for (const name of PLAIN) {
    if (wanted[name] === undefined || folded(name, wanted) === folded(name, before)) continue;
    const set: PlainValues[] = [];
    for (const { Field: field, NewValue: value } of records)
      if (field === RT_NAMES[name]) set.push({ [name]: await valueOf(api, name, value ?? "") });
    if (!set.some((values) => folded(name, values) === folded(name, wanted))) return false;
  }
  return Object.entries(wanted.customFields ?? {}).every(([name, values]) => {
    const was = before.customFields?.[name] ?? [];
    const ofField = records.filter(({ Type: type, Field: field }) => type === "CustomField" && ticket.fieldNames.get(field ?? "") === name);
    return (
      values.every((value) => was.includes(value) || ofField.some(({ NewValue: added }) => added === value)) &&
      was.every((value) => values.includes(value) || ofField.some(({ OldValue: gone }) => gone === value))
    );
  });
}

/** A value of the history, which holds the numbers of users and queues. */
async function valueOf(api: RtApi, name: (typeof PLAIN)[number], text: string): Promise<string | number> {
  if (name === "priority") return Number(text);
  return name === "owner" || name === "queue" ? nameOf(api, name === "owner" ? "user" : "queue", text) : text;
}

/** Goes back through the records: what was added was not there, what was taken away was. */
function fieldsBefore(
  ticket: LoadedTicket,
  now: Readonly<Record<string, readonly string[]>>,
  records: readonly HistoryRecord[],
): Readonly<Record<string, readonly string[]>> {
  const values = new Map(Object.entries(now).map(([name, list]) => [name, [...list]]));
  for (const { Type: type, Field: field, OldValue: old, NewValue: added } of records.toReversed()) {
    const list = type === "CustomField" ? values.get(ticket.fieldNames.get(field ?? "") ?? "") : undefined;
    if (list === undefined) continue;
    const at = list.indexOf(added ?? "");
    if (at >= 0) list.splice(at, 1);
    if (typeof old === "string" && old !== "") list.push(old);
  }
  return Object.fromEntries([...values].map(([name, list]) => [name, list.toSorted()]));
}
