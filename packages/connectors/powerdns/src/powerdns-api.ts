import { buildHeaders, exchange, type HttpClient, parseUrl, reasonIn, refusalOf } from "@tutti/connector-http";
import { ConnectorError, type ProviderAccess, readProvider, z } from "@tutti/connector-kit";
import type { Json } from "@tutti/model";

export const CONFIGURATION = z.strictObject({
  url: z.url({ protocol: /^https?$/ }).meta({ description: "Where the API listens: http://127.0.0.1:8081" }),
  server: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,64}$/)
    .default("localhost")
    .meta({ description: "Id of the server in the API; PowerDNS has only localhost" }),
});
export const CREDENTIALS = z.strictObject({ apiKey: z.string().min(1).meta({ description: "The setting api-key of PowerDNS" }) });

/** A complete answer that counts as one: a success, or a status that the caller asked for. */
export interface ApiAnswer {
  readonly status: number;
  /** Undefined when there was no body. */
  readonly body: Json | undefined;
}

export interface ApiRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Below `/servers/<server>`: `/zones/lab.test.`. */
  readonly path: string;
  readonly body?: Json;
  /** Statuses besides success that are answers to the caller, and no errors. */
  readonly allow?: readonly number[];
}

/** PowerDNS' HTTP API, as one attempt speaks it. */
export class PowerdnsApi {
  readonly provider: string;
  readonly #http: HttpClient;
  readonly #access: ProviderAccess;
  readonly #base: string;
  readonly #key: string;

  /** @throws ConnectorError `configuration`. */
  constructor(http: HttpClient, access: ProviderAccess) {
    const { name, configuration, credentials } = readProvider({ configuration: CONFIGURATION, credentials: CREDENTIALS }, access);
    this.#http = http;
    this.#access = access;
    this.provider = name;
    this.#base = `${configuration.url.replace(/\/+$/, "")}/api/v1/servers/${configuration.server}`;
    this.#key = credentials.apiKey;
  }

  /**
   * Sends one request.
   *
   * @throws ConnectorError that says whether it began, was answered, and may be tried again.
   */
  async send(request: ApiRequest): Promise<ApiAnswer> {
    const { method, path, body, allow = [] } = request;
    const headers = buildHeaders({ "x-api-key": this.#key, accept: "application/json" });
    if (body !== undefined) headers.set("content-type", "application/json");
    const { limits } = this.#http;
    const answer = await exchange(
      this.#http.send,
      {
        method,
        url: parseUrl(`${this.#base}${path}`),
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
        followRedirects: false,
      },
      { ...limits, signal: this.#access.signal },
    );
    const text = answer.body.toString("utf8");
    if (allow.includes(answer.status)) return { status: answer.status, body: undefined };
    if (answer.status < 200 || answer.status >= 300) throw this.#refused(request, answer.status, text);
    return { status: answer.status, body: text === "" ? undefined : this.#parsed(request, text) };
  }

  /** The answer's body, which must be as the schema says. @throws ConnectorError when what answers is not PowerDNS. */
  read<Schema extends z.ZodType>(request: ApiRequest, answer: ApiAnswer, schema: Schema): z.infer<Schema> {
    const parsed = schema.safeParse(answer.body);
    if (parsed.success) return parsed.data;
    throw this.#strange(request);
  }

  /** Sends a request that is answered by nothing but its success. */
  async order(request: ApiRequest): Promise<void> {
    // Whoever has something to say to that is not PowerDNS.
    if ((await this.send(request)).body !== undefined) throw this.#strange(request);
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
      `What answers at the url of provider ${this.provider} does not answer as PowerDNS does: correct the url, or what stands between.`,
      { kind: "communication", outcome: method === "GET" ? "answered" : "unknown" },
    );
  }

  #refused({ method, path }: ApiRequest, status: number, text: string): ConnectorError {
    const message =
      status === 401 || status === 403
        ? `PowerDNS does not take the API key of provider ${this.provider} (${status}): correct the secret, or the settings api-key and webserver-allow-from.`
        : `PowerDNS answered ${status} to ${method} ${path.replace(/\?[^]*$/, "")}${reasonIn(text, "error", this.#access)}`;
    return refusalOf(message, status);
  }
}
