import type { HttpClient } from "@tutti/connector-http";
import { type Attempt, ConnectorError, type ConnectorFunction, type EffectPreview, parseInput, z } from "@tutti/connector-kit";
import type { Json, JsonObject } from "@tutti/model";
import { beginChange, forgetChange, historyOf } from "./history.ts";
import { refusal, RtApi } from "./rt-api.ts";
import { existingTicket, loadTicket, type LoadedTicket, shownTicket, TicketId } from "./tickets.ts";
import { bodyOf, isSame, plainValues, type PlainValues, TicketValues, valuesBefore, valuesOf, wasSet } from "./ticket-values.ts";

/** The status that Request Tracker hides from every search. Nothing short of its shredder removes a ticket. */
export const DELETED = "deleted";

const UpdateInput = z.strictObject({
  ticket: TicketId,
  set: TicketValues.meta({ description: "What the ticket is to have; the rest stays" }),
  expected: TicketValues.optional().meta({ description: "What it must have now, or is refused: so nobody's work is overwritten" }),
});
const Values = TicketValues.extend({ customFields: z.record(z.string(), z.array(z.string())).optional() });
const UpdateOutput = z.strictObject({
  ticket: z.string(),
  /** What the ticket had before, in the members that were set. */
  before: Values,
  /** What it has now. */
  after: Values,
});
const TicketOnly = z.strictObject({ ticket: TicketId });
const DeleteInput = z.strictObject({
  ticket: TicketId,
  token: z.string().optional().meta({ description: "Deleted only when the call of this token has made it" }),
});
const DeleteOutput = z.strictObject({ ticket: z.string(), before: Values });

/** Puts back what was, while it is still as the call left it. */
const UNDO_UPDATE = {
  call: "ticket.update:1",
  with: { ticket: "${ .output.ticket }", set: "${ .output.before }", expected: "${ .output.after }" },
};

export function changeFunctions(http: HttpClient): Readonly<Record<string, ConnectorFunction>> {
  const times = { requestTimeoutMs: http.limits.headTimeoutMs, settleMs: 0 };
  const changing = { ...times, effect: "idempotent", changes: "ticket", undo: UNDO_UPDATE, output: UpdateOutput } as const;

  /** Idempotent: a desired state, and what was before is known from the ticket's history since the mark of the token. */
  const update: ConnectorFunction = {
    ...changing,
    title: "Set status, owner, queue, subject, priority or custom fields of a ticket",
    input: UpdateInput,
    run: async (given, attempt) => {
      const { ticket, set, expected } = parseInput(UpdateInput, given);
      return updateTicket(new RtApi(http, attempt), attempt, { ticket, set, expected });
    },
    preview: async (given, attempt) => previewUpdate(new RtApi(http, attempt), parseInput(UpdateInput, given)),
  };
  const toStatus = (title: string, status: string): ConnectorFunction => ({
    ...changing,
    title,
    input: TicketOnly,
    run: async (given, attempt) => {
      const { ticket } = parseInput(TicketOnly, given);
      return updateTicket(new RtApi(http, attempt), attempt, { ticket, set: { status } });
    },
    preview: async (given, attempt) => {
      const { ticket } = parseInput(TicketOnly, given);
      return previewUpdate(new RtApi(http, attempt), { ticket, set: { status } });
    },
  });
  return {
    "ticket.update:1": update,
    "ticket.resolve:1": toStatus("Resolve a ticket", "resolved"),
    "ticket.reopen:1": toStatus("Open a ticket again", "open"),
    "ticket.delete:1": deleteFunction(http, times),
  };
}

/** Idempotent: a desired state; the status that it had stands in the ticket's history. */
function deleteFunction(http: HttpClient, times: Pick<ConnectorFunction, "requestTimeoutMs" | "settleMs">): ConnectorFunction {
  return {
    ...times,
    title: "Delete a ticket: it gets the status deleted and is found no more",
    input: DeleteInput,
    output: DeleteOutput,
    effect: "idempotent",
    deletes: "ticket",
    undo: {
      call: "ticket.update:1",
      with: { ticket: "${ .output.ticket }", set: "${ .output.before }", expected: { status: DELETED } },
    },
    run: async (given, attempt) => {
      const input = parseInput(DeleteInput, given);
      const api = new RtApi(http, attempt);
      const found = await deletable(api, input);
      if (found === undefined) return outputOfDelete(`${input.ticket}`);
      if (found.status === DELETED) return outputOfDelete(found.ticket, await statusBeforeDeletion(api, found.ticket));
      await apply(api, found, { status: DELETED });
      return outputOfDelete(found.ticket, found.status);
    },
    preview: async (given, attempt): Promise<EffectPreview> => {
      const input = parseInput(DeleteInput, given);
      const api = new RtApi(http, attempt);
      const found = await deletable(api, input);
      if (found === undefined || found.status === DELETED) return { effects: [], output: { ticket: `${input.ticket}` } };
      const before = shownTicket(found);
      return {
        effects: [{ kind: "delete", resource: "ticket", name: found.ticket, before, isReversible: true }],
        output: { ticket: found.ticket, before: { status: found.status } },
      };
    },
  };
}

function outputOfDelete(ticket: string, status?: string): JsonObject {
  return { ticket, before: status === undefined ? {} : { status } };
}

async function deletable(api: RtApi, { ticket, token }: z.infer<typeof DeleteInput>): Promise<LoadedTicket | undefined> {
  const found = await loadTicket(api, ticket);
  if (found !== undefined && token !== undefined && found.token !== token)
    throw refusal(`Ticket ${ticket} was not made by the call of ${token}, so it is not deleted: correct the number.`);
  return found;
}

async function statusBeforeDeletion(api: RtApi, ticket: string): Promise<string> {
  const records = await historyOf(api, ticket);
  return records.findLast(({ Field: field, NewValue: value }) => field === "Status" && value === DELETED)?.OldValue ?? DELETED;
}

interface Update {
  readonly ticket: TicketId;
  readonly set: TicketValues;
  readonly expected?: TicketValues | undefined;
}

async function updateTicket(api: RtApi, attempt: Attempt, { ticket: id, set, expected }: Update): Promise<JsonObject> {
  const ticket = await existingTicket(api, id);
  const wanted = await plainValues(api, set, ticket);
  const there = valuesOf(ticket, wanted);
  const isBegun = ticket.changing.includes(attempt.token);
  // Nothing to do and nothing done before: so nothing is written, not even the mark.
  if (!isBegun && Object.keys(bodyOf(wanted, there)).length === 0) return outputOf(ticket.ticket, there, wanted);
  if (!isBegun) await mustBeExpected(api, ticket, expected);
  const records = await beginChange(api, attempt, ticket);
  const before = records === undefined ? there : await valuesBefore(api, ticket, wanted, records);
  if (records !== undefined && (await wasSet(api, ticket, { wanted, before, records }))) return outputOf(ticket.ticket, before, wanted);
  await apply(api, ticket, wanted).catch(async (error: unknown) => {
    // Refused for good, and nothing of it is left: a later attempt begins anew. What may be tried again may have been carried out, too.
    if (error instanceof ConnectorError && error.outcome === "answered" && !error.retryable) await forgetChange(api, attempt, ticket);
    throw error;
  });
  return outputOf(ticket.ticket, before, wanted);
}

/** Request Tracker sets what it can and answers 200 with sentences, so what was set is looked at. @throws ConnectorError with nothing left behind. */
async function apply(api: RtApi, ticket: LoadedTicket, wanted: PlainValues): Promise<void> {
  const path = `/ticket/${ticket.ticket}`;
  const body = bodyOf(wanted, valuesOf(ticket, wanted));
  if (Object.keys(body).length === 0) return;
  const sentences = await api.ask({ method: "PUT", path, body }, z.array(z.string().nullable()));
  const now = await existingTicket(api, ticket.ticket);
  const missing = Object.keys(bodyOf(wanted, valuesOf(now, wanted)));
  if (missing.length === 0) return;
  const back = bodyOf(valuesOf(ticket, wanted), valuesOf(now, wanted));
  if (Object.keys(back).length > 0) await api.send({ method: "PUT", path, body: back });
  throw refusal(
    `Request Tracker has not set ${missing.join(", ")} of ticket ${ticket.ticket}, and the rest was put back: correct the value, or give the account the right.`,
    sentences.map((sentence) => api.told(sentence ?? "")),
  );
}

/** @throws ConnectorError `validation` when the ticket has something else than the caller expects. */
async function mustBeExpected(api: RtApi, ticket: LoadedTicket, expected: TicketValues | undefined): Promise<void> {
  if (expected === undefined) return;
  const plain = await plainValues(api, expected, ticket);
  const there = valuesOf(ticket, plain);
  const different = Object.keys(bodyOf(plain, there));
  if (different.length === 0) return;
  // Values of a ticket are data.
  const detail = there as unknown as Json;
  throw refusal(
    `Ticket ${ticket.ticket} has another ${different.join(", ")} than was expected: somebody has changed it since. Look at it, and settle it by hand.`,
    detail,
  );
}

async function previewUpdate(api: RtApi, { ticket: id, set, expected }: Update): Promise<EffectPreview> {
  const ticket = await existingTicket(api, id);
  const wanted = await plainValues(api, set, ticket);
  const there = valuesOf(ticket, wanted);
  const output = outputOf(ticket.ticket, there, wanted);
  if (isSame(bodyOf(wanted, there), {})) return { effects: [], output };
  await mustBeExpected(api, ticket, expected);
  const { customFields = {}, ...values } = wanted;
  const before = shownTicket(ticket);
  const fields = Object.entries({ ...before.customFields, ...customFields }).filter(([, list]) => list.length > 0);
  const after = { ...before, ...values, customFields: Object.fromEntries(fields) };
  // A ticket is data.
  return {
    effects: [{ kind: "change", resource: "ticket", name: ticket.ticket, before, after: after as Json, isReversible: true }],
    output,
  };
}

function outputOf(ticket: string, before: PlainValues, after: PlainValues): JsonObject {
  // Values of a ticket are data.
  return { ticket, before, after } as unknown as JsonObject;
}
