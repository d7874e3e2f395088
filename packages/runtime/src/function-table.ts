import { type Connector, ConnectorError, type ConnectorFunction, resolveFunction, takesProvider, z } from "@tutti/connector-kit";
import type { FunctionInterface } from "@tutti/definition";
import type { FunctionCatalog, FunctionTraits } from "@tutti/engine";
import { type EffectClass, isJsonObject, type Json, type JsonObject } from "@tutti/model";
import type { AttemptHandle } from "./attempt-handle.ts";

/** Attempts of one function at the same time when its connector names no bound: each may hold a socket and a body. */
const CONCURRENCY_DEFAULT = 1000;

/** A function as the runtime uses it, with the attempts that wait for their turn. */
export class FunctionEntry {
  readonly name: string;
  readonly connector: Connector;
  readonly declared: ConnectorFunction;
  readonly concurrencyMax: number;
  /** Whether its arguments may name a provider, which is taken out of them before the function sees them. */
  readonly takesProvider: boolean;
  active = 0;
  /** First in, first out; `#head` moves instead of shifting, so a long queue costs nothing per attempt. */
  #queue: AttemptHandle[] = [];
  #head = 0;

  constructor(name: string, connector: Connector, declared: ConnectorFunction) {
    this.name = name;
    this.connector = connector;
    this.declared = declared;
    this.takesProvider = takesProvider(connector);
    this.concurrencyMax = declared.concurrencyMax ?? CONCURRENCY_DEFAULT;
  }

  enqueue(handle: AttemptHandle): void {
    this.#queue.push(handle);
  }

  dequeue(): AttemptHandle | undefined {
    while (this.#head < this.#queue.length) {
      const next = this.#queue[this.#head] as AttemptHandle;
      this.#head += 1;
      if (next.phase === "queued") return next;
    }
    this.#queue = [];
    this.#head = 0;
    return undefined;
  }
}

/** All functions by the names that workflows use. What the engine needs of them is data. */
export class FunctionTable implements FunctionCatalog {
  readonly #connectors: readonly Connector[];
  readonly #entries = new Map<string, FunctionEntry>();
  #interfaces: ReadonlyMap<string, FunctionInterface> | undefined;

  constructor(connectors: readonly Connector[]) {
    this.#connectors = connectors;
    for (const connector of connectors) {
      for (const name of Object.keys(connector.functions)) {
        this.#remember(`${name}@${connector.name}`);
        if (!name.includes(":")) this.#remember(name);
      }
    }
  }

  /** The function, or one that refuses every attempt: the engine asks `describe` first, but a connector may be gone after a restart. */
  get(name: string): FunctionEntry {
    return this.#entries.get(name) ?? missingFunction(name);
  }

  list(): readonly { readonly name: string; readonly connector: string; readonly version: string }[] {
    return [...this.#entries.values()]
      .filter((entry) => !(entry.name.includes("@") && this.#entries.has(entry.name.slice(0, entry.name.indexOf("@")))))
      .map((entry) => ({ name: entry.name, connector: entry.connector.name, version: entry.connector.version }));
  }

  /** What the linter may know of each function. */
  interfaces(): ReadonlyMap<string, FunctionInterface> {
    this.#interfaces ??= new Map([...this.#entries].map(([name, entry]) => [name, interfaceOf(entry)]));
    return this.#interfaces;
  }

  describe(name: string, input: JsonObject): FunctionTraits | undefined {
    const entry = this.#entries.get(name);
    if (entry === undefined) return undefined;
    const { declared } = entry;
    return {
      effect: effectOf(declared, entry.takesProvider ? withoutProvider(input) : input),
      canFind: declared.find !== undefined,
      unique: declared.unique ?? false,
      settleMs: declared.settleMs,
      requestTimeoutMs: declared.requestTimeoutMs,
    };
  }

  #remember(name: string): void {
    if (this.#entries.has(name)) return;
    const found = resolveFunction(this.#connectors, name);
    if (found.kind === "found") this.#entries.set(name, new FunctionEntry(name, found.connector, found.function));
  }
}

/** A function that cannot tell its class from this input is treated as the class that asks a person. */
function effectOf(declared: ConnectorFunction, input: JsonObject): EffectClass {
  if (typeof declared.effect === "string") return declared.effect;
  try {
    return declared.effect(input);
  } catch {
    return "unsafe";
  }
}

function interfaceOf({ declared, takesProvider: isOnProvider }: FunctionEntry): FunctionInterface {
  let inputSchema: { readonly value: Json | undefined } | undefined;
  return {
    ...(declared.irreversible === true && { irreversible: true }),
    /** Made when it is asked for: a document calls few of the functions there are, and all of them take a tenth of a process's start. */
    get inputSchema() {
      inputSchema ??= { value: isOnProvider ? withProvider(inputSchemaOf(declared)) : inputSchemaOf(declared) };
      return inputSchema.value;
    },
  };
}

/** The arguments as the function gets them. */
function withoutProvider(input: JsonObject): JsonObject {
  return Object.hasOwn(input, "provider") ? Object.fromEntries(Object.entries(input).filter(([name]) => name !== "provider")) : input;
}

/** What a call may be given that works on a provider. */
function withProvider(schema: Json | undefined): Json | undefined {
  if (!isJsonObject(schema) || !isJsonObject(schema["properties"])) return schema;
  const provider = { type: "string", description: "Name of a provider; the connector's only one by default." };
  return { ...schema, properties: { ...schema["properties"], provider } };
}

/** Undefined when it has no JSON form: such arguments are checked at dispatch only. */
function inputSchemaOf(declared: ConnectorFunction): Json | undefined {
  try {
    // A JSON Schema is plain data.
    return z.toJSONSchema(declared.input, { io: "input", unrepresentable: "any" }) as unknown as Json;
  } catch {
    return undefined;
  }
}

function missingFunction(name: string): FunctionEntry {
  const refuse = async (): Promise<never> => {
    throw new ConnectorError(`There is no function "${name}" in this installation.`, { kind: "configuration", outcome: "never-began" });
  };
  const declared: ConnectorFunction = {
    title: name,
    input: z.unknown(),
    output: z.unknown(),
    effect: "read",
    requestTimeoutMs: 0,
    settleMs: 0,
    run: refuse,
    find: refuse,
  };
  return new FunctionEntry(name, { name: "missing", version: "0.0.0", functions: {} }, declared);
}
