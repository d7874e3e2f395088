import { buildHeaders, exchange, excerptOf, type HttpClient, parseUrl, reasonIn, refusalOf } from "@tutti/connector-http";
import { ConnectorError, type ProviderAccess, readProvider, z } from "@tutti/connector-kit";
import { isJsonObject, type Json, type JsonObject } from "@tutti/model";

export const CONFIGURATION = z.strictObject({
  url: z.url({ protocol: /^https?$/ }).meta({ description: "Where the API listens: https://icinga.lab.test:5665" }),
  user: z.string().min(1).max(200).meta({ description: "The ApiUser" }),
});
export const CREDENTIALS = z.strictObject({ password: z.string().min(1).meta({ description: "Password of the ApiUser" }) });

export interface ApiRequest {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** Below `/v1`: `/objects/hosts/web1`. */
  readonly path: string;
  readonly body?: JsonObject;
  /** A query that is sent as POST, so that what is looked for stands in its body. */
  readonly isQuery?: boolean;
}

/** One member of `results`; its status is a text, but for parts of the status page. */
const Result = z.looseObject({ code: z.number().optional(), status: z.unknown().optional(), errors: z.array(z.string()).optional() });
export type Result = z.infer<typeof Result>;
const Answer = z.object({ results: z.array(Result) });

/** What the API answered: its results, or why it did nothing. */
export type ApiEnd =
  | { readonly kind: "done"; readonly results: readonly Result[] }
  /** There is no such object. */
  | { readonly kind: "absent" }
  /** It says no, for good; nothing or not all was done. */
  | { readonly kind: "refused"; readonly status: number; readonly said: string };

/** The REST API of Icinga 2, as one attempt speaks it. */
export class IcingaApi {
  readonly provider: string;
  readonly #http: HttpClient;
  readonly #access: ProviderAccess;
  readonly #base: string;
  readonly #login: string;

  /** @throws ConnectorError `configuration`. */
  constructor(http: HttpClient, access: ProviderAccess) {
    const { name, configuration, credentials } = readProvider({ configuration: CONFIGURATION, credentials: CREDENTIALS }, access);
    this.#http = http;
    this.#access = access;
    this.provider = name;
    this.#base = `${configuration.url.replace(/\/+$/, "").replace(/\/v1$/, "")}/v1`;
    this.#login = Buffer.from(`${configuration.user}:${credentials.password}`, "utf8").toString("base64");
    // What goes over the line is not the password itself, and what answers may tell it on.
    access.mask(this.#login);
  }

  /** Sends one request. @throws ConnectorError that says whether it began, was answered, and may be tried again. */
  async send(request: ApiRequest): Promise<ApiEnd> {
    const { method, path, body, isQuery = false } = request;
    const headers = buildHeaders({ authorization: `Basic ${this.#login}`, accept: "application/json" });
    if (body !== undefined) headers.set("content-type", "application/json");
    if (isQuery) headers.set("x-http-method-override", "GET");
    const answer = await exchange(
      this.#http.send,
      {
        method,
        url: parseUrl(`${this.#base}${path}`),
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
        followRedirects: false,
      },
      { ...this.#http.limits, signal: this.#access.signal },
    );
    return this.#judged(request, answer.status, answer.body.toString("utf8"));
  }

  /** The objects that a query finds. @throws ConnectorError. */
  async find<Schema extends z.ZodType>(request: ApiRequest, schema: Schema): Promise<readonly z.infer<Schema>[]> {
    const end = await this.send({ ...request, isQuery: true });
    if (end.kind === "absent") return [];
    if (end.kind === "refused") throw this.refusal(`Icinga refuses to list: ${end.said}`);
    return end.results.map((result) => {
      const parsed = schema.safeParse(result);
      if (!parsed.success) throw this.#strange(request);
      return parsed.data;
    });
  }

  /** What will never be done so. */
  refusal(message: string): ConnectorError {
    return new ConnectorError(message, { kind: "validation", outcome: "answered" });
  }

  /** What may be done a moment later. */
  late(message: string): ConnectorError {
    return new ConnectorError(message, { kind: "timeout", outcome: "answered", retryable: true });
  }

  #judged(request: ApiRequest, status: number, text: string): ApiEnd {
    const results = resultsOf(text);
    if (status === 200) {
      if (results === undefined) throw this.#strange(request);
      return { kind: "done", results };
    }
    if (status === 404 && isNotFound(text)) return { kind: "absent" };
    // Icinga says with the same status that it can't now and that an object can't be as it was asked for: only of the latter it names the object.
    if (results !== undefined && (status === 409 || status === 500 || status === 422)) {
      const said = results.flatMap((each) => each.errors ?? (typeof each.status === "string" ? [each.status] : [])).join(" ");
      return { kind: "refused", status: results[0]?.code ?? status, said: excerptOf(withoutPlaces(said), this.#access) };
    }
    throw this.#failed(request, status, text);
  }

  #strange({ method, isQuery = false }: ApiRequest): ConnectorError {
    return new ConnectorError(
      `What answers at the url of provider ${this.provider} does not answer as Icinga 2 does: correct the url, or what stands between.`,
      { kind: "communication", outcome: method === "GET" || isQuery ? "answered" : "unknown" },
    );
  }

  #failed({ method, path }: ApiRequest, status: number, text: string): ConnectorError {
    const message =
      status === 401 || status === 403
        ? `Icinga does not let the user of provider ${this.provider} do this (${status}): correct the user, the secret, or the permissions of the ApiUser.`
        : `Icinga answered ${status} to ${method} ${path.replace(/\?[^]*$/, "")}${reasonIn(text, "status", this.#access)}`;
    return refusalOf(message, status);
  }
}

function resultsOf(text: string): readonly Result[] | undefined {
  const parsed = Answer.safeParse(parsedOf(text));
  return parsed.success ? parsed.data.results : undefined;
}

/** Whether Icinga itself says so, and not a proxy that does not know the path. */
function isNotFound(text: string): boolean {
  const body = parsedOf(text);
  return body !== undefined && isJsonObject(body) && body["error"] === 404;
}

function parsedOf(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

/** Without the places in Icinga's own files. */
function withoutPlaces(text: string): string {
  return text.replaceAll(/\s*Location: in [^\n]*/g, "").replaceAll(/^Error: /gm, "");
}
