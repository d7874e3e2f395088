import type { HttpClient } from "@tutti/connector-http";
import type { ResourceType } from "@tutti/connector-kit";
import { DELETED } from "./change-functions.ts";
import { listMessages, loadMessage, Message } from "./messages.ts";
import { RtApi } from "./rt-api.ts";
import { listTickets, loadTicket, shownTicket, Ticket } from "./tickets.ts";

export function requestTrackerResources(http: HttpClient): Readonly<Record<string, ResourceType>> {
  return {
    ticket: {
      title: "A ticket that is not deleted",
      schema: Ticket,
      id: (ticket) => Ticket.parse(ticket).ticket,
      token: (ticket) => Ticket.parse(ticket).token ?? undefined,
      read: async (id, access) => {
        const api = new RtApi(http, access);
        const found = await loadTicket(api, id);
        return found === undefined || found.status === DELETED ? undefined : shownTicket(found);
      },
      list: async (access) => (await listTickets(new RtApi(http, access))).map(shownTicket),
    },
    message: {
      title: "A comment or a reply on a ticket",
      schema: Message,
      id: (message) => Message.parse(message).message,
      token: (message) => Message.parse(message).token ?? undefined,
      read: async (id, access) => loadMessage(new RtApi(http, access), id),
      list: async (access) => [...(await listMessages(new RtApi(http, access)))],
    },
  };
}
