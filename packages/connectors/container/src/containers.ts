import { ConnectorError } from "@tutti/connector-kit";
import { isJsonObject, type Json, type JsonObject, type Token } from "@tutti/model";
import { TOKEN_LABEL } from "./container-plan.ts";
import type { EngineAnswer, EngineClient } from "./engine-client.ts";

/** A container as the engine describes it. */
export interface Seen {
  readonly id: string;
  readonly name: string;
  /** `created`, `running`, `exited` … */
  readonly status: string;
  readonly createdAt: string;
  readonly exitCode: number;
  readonly finishedAtMs: number;
  readonly outOfMemory: boolean;
  readonly labels: JsonObject;
}

/** An empty file of this name in a container says that its outcome is stored: it is not taken over any more. */
const DONE_FILE = ".dev.tutti.done";

/** What the connector asks of the engine, one question a function. Failures that answer are known; see `refused`. */
export class Containers {
  readonly #engine: EngineClient;

  constructor(engine: EngineClient) {
    this.#engine = engine;
  }

  /** Containers of this token, the oldest first. */
  async ofToken(token: Token): Promise<readonly Seen[]> {
    return this.labelled([`${TOKEN_LABEL}=${token}`]);
  }

  async labelled(labels: readonly string[], status?: readonly string[]): Promise<readonly Seen[]> {
    const filters = JSON.stringify({ label: labels, ...(status === undefined ? {} : { status }) });
    const { body } = this.#fine(
      await this.#engine.ask({ method: "GET", path: "/containers/json", query: { all: "1", filters } }),
      "be listed",
    );
    const ids = (Array.isArray(body) ? (body as readonly Json[]) : []).flatMap((one) => (isJsonObject(one) ? [text(one["Id"])] : []));
    const seen = await Promise.all(ids.map((id) => this.inspect(id)));
    // ISO times of one engine: the order of texts is that of time.
    return seen.flatMap((one) => one ?? []).toSorted((left, right) => (left.createdAt < right.createdAt ? -1 : 1));
  }

  /** Undefined when there is no such container. */
  async inspect(idOrName: string): Promise<Seen | undefined> {
    const answer = await this.#engine.ask({ method: "GET", path: `/containers/${encodeURIComponent(idOrName)}/json` });
    if (answer.status === 404) return undefined;
    return seenOf(this.#fine(answer, "be looked at").body);
  }

  /** @returns the new container's id, or undefined when the name is taken. */
  async create(name: string, plan: JsonObject): Promise<string | undefined> {
    const answer = await this.#engine.ask({ method: "POST", path: "/containers/create", query: { name }, body: plan });
    if (answer.status === 409) return undefined;
    const { body } = this.#fine(answer, "be created");
    return text(isJsonObject(body) ? body["Id"] : undefined);
  }

  /** Does nothing to one that has been started. */
  async start(id: string): Promise<void> {
    // The network of a container and the check of its image may take their time.
    this.#fine(await this.#engine.ask({ method: "POST", path: `/containers/${id}/start`, timeoutMs: 120_000 }), "be started");
  }

  /** Asks it to end and, `graceS` later, makes it. One that has ended already is fine. */
  async stop(id: string, graceS: number): Promise<void> {
    const timeoutMs = (graceS + 30) * 1000;
    const answer = await this.#engine.ask({ method: "POST", path: `/containers/${id}/stop`, query: { t: String(graceS) }, timeoutMs });
    if (answer.status !== 404) this.#fine(answer, "be stopped");
  }

  async remove(id: string): Promise<void> {
    const answer = await this.#engine.ask({ method: "DELETE", path: `/containers/${id}`, query: { force: "1", v: "1" } });
    // 409: it is being removed already.
    if (answer.status !== 404 && answer.status !== 409) this.#fine(answer, "be removed");
  }

  /** Notes in an ended container that its outcome is stored. Written twice it is the same. */
  async markDone(id: string): Promise<void> {
    const request = { method: "PUT", path: `/containers/${id}/archive`, query: { path: "/" }, body: emptyFileArchive(DONE_FILE) } as const;
    const answer = await this.#engine.ask(request);
    if (answer.status !== 404) this.#fine(answer, "be marked");
  }

  async isDone(id: string): Promise<boolean> {
    const { status } = await this.#engine.ask({ method: "HEAD", path: `/containers/${id}/archive`, query: { path: `/${DONE_FILE}` } });
    return status === 200;
  }

  async hasImage(image: string): Promise<boolean> {
    const answer = await this.#engine.ask({ method: "GET", path: `/images/${encodeURI(image)}/json` });
    if (answer.status === 404) return false;
    this.#fine(answer, "be created");
    return true;
  }

  #fine(answer: EngineAnswer, what: string): EngineAnswer {
    if (answer.status < 400) return answer;
    throw refused(answer, `The container could not ${what}`);
  }
}

/** The engine has answered, so nothing is unknown; whether trying again helps depends on whose fault it was. */
export function refused({ status, body }: EngineAnswer, what: string): ConnectorError {
  const message = text(isJsonObject(body) ? body["message"] : body);
  return new ConnectorError(`${what}: ${message || `status ${status}`}`, {
    kind: status === 400 || status === 404 ? "configuration" : "runtime",
    outcome: "answered",
    retryable: status >= 500,
  });
}

function seenOf(body: Json): Seen | undefined {
  if (!isJsonObject(body)) return undefined;
  const state = isJsonObject(body["State"]) ? body["State"] : {};
  const config = isJsonObject(body["Config"]) ? body["Config"] : {};
  return {
    id: text(body["Id"]),
    name: text(body["Name"]).replace(/^\//, ""),
    status: text(state["Status"]),
    createdAt: text(body["Created"]),
    exitCode: typeof state["ExitCode"] === "number" ? state["ExitCode"] : 0,
    finishedAtMs: Date.parse(text(state["FinishedAt"])) || 0,
    outOfMemory: state["OOMKilled"] === true,
    labels: isJsonObject(config["Labels"]) ? config["Labels"] : {},
  };
}

function text(value: Json | undefined): string {
  return typeof value === "string" ? value : "";
}

const BLOCK_BYTES = 512;

/** A tar archive of one empty file: a header, and the two empty blocks of the end. Source: POSIX pax, ustar format. */
function emptyFileArchive(name: string): Buffer {
  const archive = Buffer.alloc(BLOCK_BYTES * 3);
  archive.write(name, 0);
  archive.write("0000444\0" + "0000000\0" + "0000000\0" + "00000000000\0" + "00000000000\0" + "        " + "0", 100);
  archive.write("ustar\x0000", 257, "latin1");
  const sum = archive.subarray(0, BLOCK_BYTES).reduce((total, byte) => total + byte, 0);
  archive.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return archive;
}
