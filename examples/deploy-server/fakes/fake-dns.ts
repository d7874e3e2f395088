import type { HttpAnswer, HttpRequest } from "./http-door.ts";
import { json, text } from "./http-door.ts";

interface RecordSet {
  readonly name: string;
  readonly type: string;
  readonly ttl: number;
  readonly records: readonly { readonly content: string; readonly disabled: boolean }[];
  readonly comments: readonly { readonly content: string; readonly account: string }[];
}
type Change = RecordSet & { readonly changetype: "REPLACE" | "DELETE" };

/** The part of PowerDNS's HTTP API (4.7) that the deployment uses: reading a zone and patching its record sets. */
export class FakeDns {
  readonly #key: string;
  readonly #zone: string;
  readonly #sets = new Map<string, RecordSet>();

  constructor(zone: string, key: string) {
    this.#zone = zone;
    this.#key = key;
  }

  get recordSets(): readonly RecordSet[] {
    return [...this.#sets.values()];
  }

  /** What a resolver says. */
  resolve(name: string): readonly string[] {
    return this.#sets.get(`${name.replace(/\.$/, "")}. A`)?.records.map((record) => record.content) ?? [];
  }

  handle(request: HttpRequest): HttpAnswer {
    if (request.headers["x-api-key"] !== this.#key) return text(401, "Unauthorized");
    if (request.path !== `/api/v1/servers/localhost/zones/${this.#zone}`) return text(404, "Not Found");
    if (request.method === "GET") return json(200, { id: this.#zone, name: this.#zone, kind: "Native", rrsets: this.recordSets });
    if (request.method !== "PATCH") return text(405, "Method Not Allowed");
    const body = JSON.parse(request.body) as { readonly rrsets: readonly Change[] };
    for (const change of body.rrsets) {
      if (!change.name.endsWith(`.${this.#zone}`))
        return json(422, { error: `RRset ${change.name} IN ${change.type}: Name is out of zone` });
    }
    for (const { changetype, ...set } of body.rrsets) {
      const key = `${set.name} ${set.type}`;
      if (changetype === "DELETE") this.#sets.delete(key);
      else this.#sets.set(key, set);
    }
    return { status: 204, headers: {}, body: "" };
  }
}
