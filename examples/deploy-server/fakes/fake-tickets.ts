import type { EffectLedger } from "./fault.ts";
import { type HttpAnswer, type HttpRequest, json } from "./http-door.ts";

interface Transaction {
  readonly type: string;
  readonly data: string;
}
interface Ticket {
  readonly id: string;
  readonly subject: string;
  status: string;
  readonly history: Transaction[];
}

const STATUSES = new Set(["new", "open", "stalled", "resolved", "rejected", "deleted"]);
const ROOT = "/REST/2.0";

/** The part of Request Tracker's REST 2.0 that the deployment uses. Like the real one it takes any number of tickets of one subject. */
export class FakeTickets {
  readonly tickets: Ticket[] = [];
  readonly #ledger: EffectLedger;
  readonly #authorization: string;

  constructor(ledger: EffectLedger, login: { readonly username: string; readonly password: string }) {
    this.#ledger = ledger;
    this.#authorization = `Basic ${btoa(`${login.username}:${login.password}`)}`;
  }

  handle(request: HttpRequest): HttpAnswer {
    if (request.headers["authorization"] !== this.#authorization) return json(401, { message: "Unauthorized" });
    const [, kind, id, part] = request.path.slice(ROOT.length).split("/");
    if (!request.path.startsWith(ROOT)) return json(404, { message: "Not Found" });
    if (kind === "tickets" && request.method === "GET") return this.#search(request);
    if (kind !== "ticket") return json(404, { message: "Not Found" });
    if (id === undefined) return request.method === "POST" ? this.#create(request) : json(405, { message: "Method Not Allowed" });
    const ticket = this.tickets.find((each) => each.id === id);
    if (ticket === undefined)
      return json(404, { message: request.method === "PUT" ? "Resource does not exist; use POST to create" : "Not Found" });
    if (part === "history") return this.#history(ticket, request);
    if (part === "comment" && request.method === "POST") return this.#comment(ticket, request);
    if (part === undefined && request.method === "PUT") return this.#update(ticket, request);
    return json(200, { id: Number(ticket.id), Subject: ticket.subject, Status: ticket.status });
  }

  #create(request: HttpRequest): HttpAnswer {
    const body = JSON.parse(request.body) as { readonly Subject?: string; readonly Queue?: string };
    if (body.Queue === undefined) return json(400, { message: "Could not create ticket. Queue not set" });
    const ticket: Ticket = {
      id: String(this.tickets.length + 1),
      subject: body.Subject ?? "",
      status: "new",
      history: [{ type: "Create", data: "" }],
    };
    this.tickets.push(ticket);
    this.#ledger.note("ticket");
    const url = `http://${request.headers["host"] ?? ""}${ROOT}/ticket/${ticket.id}`;
    return {
      ...json(201, { _url: url, id: ticket.id, type: "ticket" }),
      headers: { "content-type": "application/json; charset=utf-8", location: `${ROOT}/ticket/${ticket.id}` },
    };
  }

  /** Only `Subject LIKE '…'`; as in SQL, an underscore matches any character. */
  #search(request: HttpRequest): HttpAnswer {
    const pattern = /^Subject LIKE '([^']*)'$/.exec(request.query.get("query") ?? "")?.[1];
    if (pattern === undefined) return json(400, { message: "Couldn't parse Query" });
    const found = this.tickets.filter((ticket) => contains(ticket.subject, pattern) && ticket.status !== "deleted");
    const items = found.map((ticket) => ({
      type: "ticket",
      id: ticket.id,
      _url: `http://${request.headers["host"] ?? ""}${ROOT}/ticket/${ticket.id}`,
    }));
    return json(200, { page: 1, pages: 1, per_page: 20, count: items.length, total: items.length, items });
  }

  #update(ticket: Ticket, request: HttpRequest): HttpAnswer {
    const { Status: status } = JSON.parse(request.body) as { readonly Status?: string };
    if (status === undefined || status === ticket.status) return json(200, []);
    if (!STATUSES.has(status)) return json(200, [`Ticket ${ticket.id}: Status '${status}' isn't a valid status for this ticket.`]);
    const message = `Ticket ${ticket.id}: Status changed from '${ticket.status}' to '${status}'`;
    this.#ledger.note(`ticket ${ticket.id} becomes ${status}`);
    ticket.status = status;
    ticket.history.push({ type: "Status", data: "" });
    return json(200, [message]);
  }

  #comment(ticket: Ticket, request: HttpRequest): HttpAnswer {
    const body = JSON.parse(request.body) as { readonly Subject?: string; readonly Content?: string };
    if (body.Content === undefined) return json(400, { message: "Content is a required field" });
    ticket.history.push({ type: "Comment", data: body.Subject ?? "No Subject" });
    this.#ledger.note(`comment on ticket ${ticket.id}`);
    return json(201, ["Comments added"]);
  }

  #history(ticket: Ticket, request: HttpRequest): HttpAnswer {
    const size = Number(request.query.get("per_page") ?? "20");
    const items = ticket.history
      .slice(0, size)
      .map((each, place) => ({ type: "transaction", id: String(place + 1), Type: each.type, Data: each.data }));
    return json(200, { page: 1, pages: 1, per_page: size, count: items.length, total: ticket.history.length, items });
  }
}

function contains(subject: string, pattern: string): boolean {
  const text = subject.toLowerCase();
  const wanted = pattern.toLowerCase();
  for (let start = 0; start + wanted.length <= text.length; start++) {
    let at = 0;
    while (at < wanted.length && (wanted[at] === "_" || wanted[at] === text[start + at])) at++;
    if (at === wanted.length) return true;
  }
  return false;
}
