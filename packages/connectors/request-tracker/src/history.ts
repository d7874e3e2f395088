import { type Attempt, z } from "@tutti/connector-kit";
import { refusal, type RtApi } from "./rt-api.ts";
import { changingUri, type LoadedTicket } from "./tickets.ts";

/** Records of one ticket that are read at most; a ticket with more is no ticket any more. */
const RECORDS_MAX = 10_000;

const HistoryRecord = z.object({
  id: z.coerce.number(),
  Type: z.string(),
  Field: z.string().nullish(),
  OldValue: z.string().nullish(),
  NewValue: z.string().nullish(),
});
export type HistoryRecord = z.infer<typeof HistoryRecord>;

/** The history of a ticket, the oldest first. */
export async function historyOf(api: RtApi, ticket: string): Promise<readonly HistoryRecord[]> {
  const from = { path: `/ticket/${ticket}/history`, query: { fields: "Type,Field,OldValue,NewValue" }, itemsMax: RECORDS_MAX };
  const { items, total } = await api.collect(from, HistoryRecord);
  if (total > RECORDS_MAX) throw refusal(`Ticket ${ticket} has ${total} records of history, more than the ${RECORDS_MAX} that are read.`);
  return items.toSorted((a, b) => a.id - b.id);
}

/**
 * Marks that a call is about to change the ticket. Request Tracker keeps the history of everything, so what was there before is known from the mark
 * on, also to an attempt after a lost answer.
 *
 * A crash before the mark leaves nothing; one after it leaves a link that does no harm, and by which the next attempt of the token finds what was
 * there before. The mark goes when the end is stored.
 *
 * @returns undefined when this attempt has made the mark: `ticket` is what was before. Otherwise the records since the mark.
 */
export async function beginChange(api: RtApi, attempt: Attempt, ticket: LoadedTicket): Promise<readonly HistoryRecord[] | undefined> {
  const uri = changingUri(attempt.token);
  const path = `/ticket/${ticket.ticket}`;
  attempt.afterStored(async (end) => {
    if (end === "completed") await api.send({ method: "PUT", path, body: { DeleteRefersTo: uri } });
  });
  if (!ticket.changing.includes(attempt.token)) {
    await api.send({ method: "PUT", path, body: { AddRefersTo: uri } });
    return undefined;
  }
  const records = await historyOf(api, ticket.ticket);
  const marked = records.find(({ Type: type, NewValue: value }) => type === "AddLink" && value === uri);
  if (marked === undefined) throw refusal(`The history of ticket ${ticket.ticket} does not hold what its links say: was it shredded?`);
  return records.filter(({ id }) => id > marked.id);
}

/** Takes the mark away when nothing was changed; what fails here is left as it is. */
export async function forgetChange(api: RtApi, attempt: Attempt, ticket: LoadedTicket): Promise<void> {
  const body = { DeleteRefersTo: changingUri(attempt.token) };
  await api.send({ method: "PUT", path: `/ticket/${ticket.ticket}`, body }).catch(() => {});
}
