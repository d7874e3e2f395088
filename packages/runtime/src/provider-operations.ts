import { type Connector, type Health, readBySchema, takesProvider, z } from "@tutti/connector-kit";
import { AppError, DEFAULT_TENANT, isJsonObject, type Json, jsonEqual, type JsonObject } from "@tutti/model";
import type { ProviderRow, Store } from "@tutti/store";
import type { Env } from "./env.ts";
import { ProviderBook, type StoredProvider, storedProvider } from "./provider-book.ts";
import type { Redactor } from "./redactor.ts";
import type { AddProviderRequest, ProviderView } from "./runtime.ts";
import { SecretBook } from "./secrets.ts";

/** A person waits for the answer, and a target that takes longer to say how it is can't be worked with. */
export const PROVIDER_CHECK_MS = 30_000;
/** An address and some choices; what is larger is data and belongs elsewhere. */
const PROVIDER_BYTES_MAX = 64 * 1024;
/** Of a text that a target may have had a part in; a sentence or two. */
const HEALTH_UNITS_MAX = 1000;
/** More are written to one provider at the same time by nobody but a loop. */
const WRITES_MAX = 5;

const PROVIDER_NAME = /^[a-z0-9][a-z0-9._-]{0,62}$/;

/** What people do with providers: add, look at, check and remove them. */
export class ProviderOperations {
  readonly #deps: {
    readonly store: Store;
    readonly env: Env;
    readonly connectors: readonly Connector[];
    readonly redactor: Redactor;
  };
  readonly #secrets: SecretBook;

  constructor(deps: { readonly store: Store; readonly env: Env; readonly connectors: readonly Connector[]; readonly redactor: Redactor }) {
    this.#deps = deps;
    this.#secrets = new SecretBook(deps.env, deps.redactor);
  }

  async list(): Promise<readonly ProviderView[]> {
    return (await this.#deps.store.listProviders(DEFAULT_TENANT)).map((row) => this.#view(row));
  }

  async add(request: AddProviderRequest): Promise<ProviderView> {
    const { name, replace } = request;
    if (!PROVIDER_NAME.test(name))
      throw invalid(`"${name}" is no name for a provider: lower case letters, digits, dots, dashes and underscores, at most 63.`);
    const connector = this.#connector(request.connector);
    checkConfiguration(connector, request.configuration);
    checkCredentials(connector, request.credentials);
    const { configuration, credentials } = request;
    if (!jsonEqual(this.#deps.redactor.maskJson(configuration), configuration))
      throw invalid("The configuration holds the value of a secret.", "Give it as a credential instead, by the secret's name.");
    const body = JSON.stringify({ configuration, credentials } satisfies StoredProvider);
    if (Buffer.byteLength(body) > PROVIDER_BYTES_MAX)
      throw new AppError("limit-exceeded", `The provider has ${Buffer.byteLength(body)} bytes; the limit is ${PROVIDER_BYTES_MAX}.`);
    const present = await this.#deps.store.loadProvider(DEFAULT_TENANT, name);
    const revision = replace && present !== undefined ? present.revision + 1 : 1;
    const row: ProviderRow = { tenant: DEFAULT_TENANT, name, connector: connector.name, revision, body };
    const isTaken = request.dryRun ? present !== undefined && !replace : (await this.#deps.store.putProvider(row)) === "conflict";
    if (isTaken) throw new AppError("provider-exists", `There is a provider ${name} already.`, { details: { provider: name } });
    return this.#view(row);
  }

  /** Asks the target how it is, and keeps the answer. */
  async check(name: string): Promise<ProviderView> {
    const row = await this.#load(name);
    const found = await this.#look(row);
    const atMs = Math.floor(this.#deps.env.wallClockMs());
    // Whoever changes the provider meanwhile goes before: the look is noted on what there is then, or not at all.
    for (let attempt = 0; attempt < WRITES_MAX; attempt += 1) {
      const present = await this.#load(name);
      if (present.connector !== row.connector || !isSameTarget(present, row)) return this.#view(present);
      const { configuration, credentials } = storedProvider(present);
      const body = JSON.stringify({ configuration, credentials, health: { atMs, found } } satisfies StoredProvider);
      const next = { ...present, revision: present.revision + 1, body };
      if ((await this.#deps.store.putProvider(next)) === "written") return this.#view(next);
    }
    return this.#view(await this.#load(name));
  }

  async remove(name: string): Promise<void> {
    if (!(await this.#deps.store.removeProvider(DEFAULT_TENANT, name))) throw missing(name);
  }

  async #look(row: ProviderRow): Promise<Health> {
    const { connectors, env, redactor } = this.#deps;
    const connector = connectors.find((known) => known.name === row.connector);
    if (connector === undefined)
      return ill(`This installation has no connector ${row.connector} any more.`, "Install it, or remove the provider.");
    if (connector.check === undefined)
      return {
        status: "degraded",
        version: undefined,
        problem: "This connector can't check its providers.",
        wayOut: "Try a call that reads.",
      };
    const controller = new AbortController();
    const timer = env.setTimer(PROVIDER_CHECK_MS, () => {
      const error = new Error(`no answer within ${PROVIDER_CHECK_MS / 1000} s`);
      error.name = "TimeoutError";
      controller.abort(error);
    });
    try {
      const provider = await new ProviderBook(this.#deps.store, this.#secrets).resolve(row);
      const silence = new Promise<never>((_, reject) => {
        controller.signal.addEventListener("abort", () => reject(controller.signal.reason as Error), { once: true });
      });
      const looking = connector.check({
        provider,
        signal: controller.signal,
        mask: (value) => redactor.register(value),
        masked: (text) => redactor.maskText(text),
      });
      return masked(await Promise.race([looking, silence]), redactor);
    } catch (error) {
      const way = error instanceof AppError ? error.hint : "Correct the provider with `tutti provider add --replace`, or the target.";
      return masked(ill(error instanceof Error ? error.message : String(error), way), redactor);
    } finally {
      timer.clear();
    }
  }

  #connector(name: string): Connector {
    const taking = this.#deps.connectors.filter(takesProvider);
    const connector = taking.find((known) => known.name === name);
    if (connector !== undefined) return connector;
    const names = taking.map((known) => known.name).join(", ") || "none";
    throw invalid(`There is no connector "${name}" that takes providers; there are: ${names}.`);
  }

  async #load(name: string): Promise<ProviderRow> {
    const row = await this.#deps.store.loadProvider(DEFAULT_TENANT, name);
    if (row === undefined) throw missing(name);
    return row;
  }

  #view(row: ProviderRow): ProviderView {
    const { configuration, credentials, health } = storedProvider(row);
    return { name: row.name, connector: row.connector, configuration, credentials, health };
  }
}

function isSameTarget(one: ProviderRow, other: ProviderRow): boolean {
  const [a, b] = [storedProvider(one), storedProvider(other)];
  return jsonEqual(a.configuration, b.configuration) && jsonEqual(a.credentials, b.credentials);
}

function ill(problem: string, wayOut: string): Health {
  return { status: "unhealthy", version: undefined, problem, wayOut };
}

/** What a connector says of its target is told on, so it goes the way of everything that leaves an attempt. */
function masked(health: Health, redactor: Redactor): Health {
  // Masked before it is cut: half a secret is not recognised any more.
  const told = (text: string): string => redactor.maskText(text).slice(0, HEALTH_UNITS_MAX);
  const version = health.version === undefined ? undefined : told(health.version);
  if (health.status === "healthy") return { status: health.status, version };
  return { status: health.status, version, problem: told(health.problem), wayOut: told(health.wayOut) };
}

function checkConfiguration(connector: Connector, configuration: JsonObject): void {
  const read = readBySchema(connector.configuration ?? z.strictObject({}), configuration);
  if (read.kind === "misfit")
    throw invalid(`The configuration does not fit connector ${connector.name}: ${read.problem}.`, knows(connector.configuration));
}

/** Which credentials there are says the connector; whether their values fit is seen when they are read. */
function checkCredentials(connector: Connector, credentials: Readonly<Record<string, string>>): void {
  const { names, required } = membersOf(connector.credentials);
  const unknown = Object.keys(credentials).find((name) => !names.includes(name));
  if (unknown !== undefined)
    throw invalid(`Connector ${connector.name} has no credential "${unknown}"; it has: ${names.join(", ") || "none"}.`);
  const absent = required.find((name) => !Object.hasOwn(credentials, name));
  if (absent !== undefined)
    throw invalid(
      `The credential ${absent} is missing.`,
      `Say which secret it is: --credential ${absent}=SECRET, with the value in the file secrets/SECRET of the data directory.`,
    );
}

function knows(schema: z.ZodType | undefined): string {
  const { names, required } = membersOf(schema);
  return `It takes ${names.map((name) => (required.includes(name) ? name : `${name} (optional)`)).join(", ") || "nothing"}: --set NAME=VALUE.`;
}

function membersOf(schema: z.ZodType | undefined): { readonly names: readonly string[]; readonly required: readonly string[] } {
  if (schema === undefined) return { names: [], required: [] };
  // A JSON Schema is plain data.
  const described = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as unknown as Json;
  if (!isJsonObject(described)) return { names: [], required: [] };
  const { properties, required } = described;
  return {
    names: isJsonObject(properties) ? Object.keys(properties) : [],
    required: Array.isArray(required) ? required.filter((name: Json) => typeof name === "string") : [],
  };
}

function invalid(message: string, hint?: string): AppError {
  return new AppError("provider-invalid", message, hint === undefined ? {} : { hint });
}

function missing(name: string): AppError {
  return new AppError("provider-not-found", `There is no provider ${name}.`, { details: { provider: name } });
}
