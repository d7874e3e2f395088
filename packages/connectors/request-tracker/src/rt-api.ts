import { buildHeaders, excerptOf, exchange, type HttpClient, parseUrl, reasonIn, refusalOf } from "@tutti/connector-http";
import { ConnectorError, type ProviderAccess, readProvider, z } from "@tutti/connector-kit";
import type { Json } from "@tutti/model";

/** More queues than that are better looked at as all that the account may see. */
const QUEUES_MAX = 50;

export const CONFIGURATION = z.strictObject({
  url: z.url({ protocol: /^https?$/ }).meta({ description: "Where Request Tracker is in the browser: https://rt.example.org/rt" }),
  queues: z
    .array(z.string().min(1).max(200))
    .min(1)
    .max(QUEUES_MAX)
    .optional()
    .meta({ description: "Queues whose tickets are listed as resources; without it all that the account may see" }),
});
export const CREDENTIALS = z
  .strictObject({
    token: z.string().min(1).optional().meta({ description: "An authentication token of the account; instead of user and password" }),
    user: z.string().min(1).optional().meta({ description: "The account's name" }),
    password: z.string().min(1).optional().meta({ description: "The account's password" }),
  })
  .refine(
    ({ token, user, password }) => (token === undefined) === (user !== undefined && password !== undefined),
    "is a token, or user and password",
  );

/** The largest page that Request Tracker gives. */
const PAGE_ITEMS = 100;

/** A complete answer that counts as one: a success, or a status that the caller asked for. */
export interface ApiAnswer {
  readonly status: number;
  /** Undefined when the status is one of those that the caller asked for. */
  readonly body: Json | undefined;
}

export interface ApiRequest {
  readonly method: "GET" | "POST" | "PUT";
  /** Below `/REST/2.0`: `/ticket/1`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: Json;
  /** Statuses besides success that are answers to the caller, and no errors. */
  readonly allow?: readonly number[];
}

const Page = z.object({ items: z.array(z.unknown()), total: z.coerce.number() });

/** Request Tracker's REST 2.0, as one attempt speaks it. */
export class RtApi {
  readonly provider: string;
  /** Queues whose tickets are listed; undefined for all. */
  readonly queues: readonly string[] | undefined;
  readonly #http: HttpClient;
  readonly #access: ProviderAccess;
  readonly #base: string;
  readonly #authorization: string;

  /** @throws ConnectorError `configuration`. */
  constructor(http: HttpClient, access: ProviderAccess) {
    const { name, configuration, credentials } = readProvider({ configuration: CONFIGURATION, credentials: CREDENTIALS }, access);
    this.#http = http;
    this.#access = access;
    this.provider = name;
    this.queues = configuration.queues;
    this.#base = configuration.url.replace(/\/+$/, "").replace(/\/REST\/2\.0$/, "");
    const { token, user = "", password = "" } = credentials;
    this.#authorization = token === undefined ? `Basic ${Buffer.from(`${user}:${password}`, "utf8").toString("base64")}` : `token ${token}`;
    // What is sent is not the password itself, and an error of the other side may tell it on.
    access.mask(this.#authorization.slice(this.#authorization.indexOf(" ") + 1));
  }

  /** Where a person finds a ticket. */
  urlOf(ticket: string): string {
    return `${this.#base}/Ticket/Display.html?id=${ticket}`;
  }

  /** The text with its secrets masked, short enough to be told. */
  told(text: string): string {
    return excerptOf(text, this.#access);
  }

  /**
   * Sends one request.
   *
   * @throws ConnectorError that says whether it began, was answered, and may be tried again.
   */
  async send(request: ApiRequest): Promise<ApiAnswer> {
    const { method, path, body, allow = [] } = request;
    const headers = buildHeaders({ authorization: this.#authorization, accept: "application/json" });
    if (body !== undefined) headers.set("content-type", "application/json");
    const url = parseUrl(`${this.#base}/REST/2.0${path}`);
    for (const [name, value] of Object.entries(request.query ?? {})) url.searchParams.set(name, value);
    const answer = await exchange(
      this.#http.send,
      { method, url, headers, body: body === undefined ? undefined : JSON.stringify(body), followRedirects: false },
      { ...this.#http.limits, signal: this.#access.signal },
    );
    const text = answer.body.toString("utf8");
    if (allow.includes(answer.status)) return { status: answer.status, body: undefined };
    if (answer.status < 200 || answer.status >= 300) throw this.#refused(request, answer.status, text);
    return { status: answer.status, body: this.#parsed(request, text) };
  }

  /** Sends one request and reads its answer. @throws ConnectorError as `send`; also when what answers is not Request Tracker. */
  async ask<Schema extends z.ZodType>(request: ApiRequest, schema: Schema): Promise<z.infer<Schema>> {
    return this.read(request, await this.send(request), schema);
  }

  /** The answer's body, which must be as the schema says. @throws ConnectorError when what answers is not Request Tracker. */
  read<Schema extends z.ZodType>(request: ApiRequest, answer: ApiAnswer, schema: Schema): z.infer<Schema> {
    const parsed = schema.safeParse(answer.body);
    if (parsed.success) return parsed.data;
    throw this.#strange(request);
  }

  /**
   * The items of a collection, page by page, in the order of their ids; up to `itemsMax` of them.
   *
   * @returns `total`: how many there are on the other side.
   */
  async collect<Schema extends z.ZodType>(
    from: { readonly path: string; readonly query: Readonly<Record<string, string>>; readonly itemsMax: number },
    schema: Schema,
  ): Promise<{ readonly items: readonly z.infer<Schema>[]; readonly total: number }> {
    const items: z.infer<Schema>[] = [];
    for (let page = 1; ; page += 1) {
      const request: ApiRequest = {
        method: "GET",
        path: from.path,
        query: { orderby: "id", order: "ASC", ...from.query, per_page: `${Math.min(PAGE_ITEMS, from.itemsMax)}`, page: `${page}` },
      };
      const answer = await this.send(request);
      const given = this.read(request, answer, Page);
      for (const item of given.items) items.push(this.read(request, { status: answer.status, body: item as Json }, schema));
      if (given.items.length === 0 || items.length >= given.total || items.length >= from.itemsMax)
        return { items: items.slice(0, from.itemsMax), total: given.total };
    }
  }

  #parsed(request: ApiRequest, text: string): Json {
    try {
      return JSON.parse(text) as Json;
    } catch {
      throw this.#strange(request);
    }
  }

  #strange({ method }: ApiRequest): ConnectorError {
    return new ConnectorError(
      `What answers at the url of provider ${this.provider} does not answer as Request Tracker's REST 2.0 does: correct the url, or what stands between.`,
      { kind: "communication", outcome: method === "GET" ? "answered" : "unknown" },
    );
  }

  #refused({ method, path }: ApiRequest, status: number, text: string): ConnectorError {
    if (status === 401) {
      const message = `Request Tracker does not take the credentials of provider ${this.provider} (401): correct the secret that is its token or password, or the account.`;
      return refusalOf(message, status);
    }
    const wayOut = status === 403 ? ` Give the account of provider ${this.provider} the right, or correct the name.` : "";
    return refusalOf(`Request Tracker answered ${status} to ${method} ${path}${reasonIn(text, "message", this.#access)}${wayOut}`, status);
  }
}

/** A permanent refusal of the connector's own; nothing of the call is left. */
export function refusal(message: string, detail?: Json): ConnectorError {
  return new ConnectorError(message, { kind: "validation", outcome: "answered", ...(detail === undefined ? {} : { detail }) });
}
