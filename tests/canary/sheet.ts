import type { JsonObject } from "@tutti/model";
import type { Canaries, Canary, CanaryKind } from "./canaries.ts";

type Tasks = { readonly [name: string]: JsonObject }[];

/** Collects the tasks of one document and the secrets that it names. */
export class Sheet {
  readonly #canaries: Canaries;
  readonly #secrets: string[] = [];
  readonly #tasks: Tasks = [];

  constructor(canaries: Canaries) {
    this.#canaries = canaries;
  }

  secret(kind: CanaryKind): Canary {
    const canary = this.#canaries.make(kind);
    this.#secrets.push(canary.name);
    return canary;
  }

  /** An expression that is a secret of this kind, or what `transform` makes of it: `. | @base64`. */
  reveal(kind: CanaryKind, transform = "."): string {
    const read = kind === "login" ? ".password" : "";
    return `\${ $secrets.${this.secret(kind).name}${read} | ${transform} }`;
  }

  add(name: string, task: JsonObject): void {
    this.#tasks.push({ [name]: task });
  }

  /** A task that may fail: its error, its output and what follows from them become data of the run, all the ways that data can go. */
  tryOut(name: string, task: JsonObject): void {
    const at = `$context["${name}"]`;
    this.#tasks.push({
      [name]: {
        try: [{ [`${name}-do`]: { ...task, export: { as: `$context + {"${name}": .}` } } }],
        catch: { as: "e", do: [{ [`${name}-failed`]: { set: { failed: "${ $e }" }, export: { as: `$context + {"${name}": .}` } } }] },
      },
    });
    this.#tasks.push({ [`${name}-set`]: { set: { kept: `\${ ${at} }`, text: `\${ ${at} | tojson }` } } });
  }

  document(name: string, more: JsonObject = {}): JsonObject {
    return {
      document: { dsl: "1.0.3", namespace: "canary", name, version: "1.0.0" },
      use: { secrets: [...this.#secrets], ...(more["use"] as JsonObject | undefined) },
      ...Object.fromEntries(Object.entries(more).filter(([key]) => key !== "use")),
      do: this.#tasks,
    };
  }
}

export const ALL_KINDS: readonly CanaryKind[] = ["token", "special", "unicode", "lines", "login"];
export const IDEMPOTENT: JsonObject = { metadata: { tutti: { effect: { class: "idempotent" } } } };

export const http = (given: JsonObject): JsonObject => ({
  call: "http",
  with: { method: "post", output: "response", ...given },
  ...IDEMPOTENT,
});
export const login = (username: string, password: string): JsonObject => ({ basic: { username, password } });
