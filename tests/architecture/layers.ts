/**
 * Who may see whom, by layer: dependencies point downwards only. Changing this table is a decision and gets a page in `docs/decisions/`.
 *
 * A package that is not listed fails the test: it has to be given its place first.
 */
export const LAYERS: Readonly<Record<string, readonly string[]>> = {
  model: [],
  expression: ["model"],
  store: ["model"],
  // Undos are data with the language's expressions; a connector's declaration is checked where it is made.
  "connector-kit": ["model", "expression"],
  definition: ["model", "expression"],
  engine: ["model", "expression", "definition"],
  runtime: ["model", "expression", "definition", "engine", "store", "connector-kit"],
  "store-sqlite": ["model", "store"],
  // The bank is a connector, and fakes speak to connectors.
  testkit: ["model", "connector-kit"],
  // The only place where implementations are named and wired; `testkit` for its bank, which is loaded only when a test asks for it.
  host: ["testkit", "model", "expression", "definition", "engine", "store", "store-sqlite", "connector-kit", "runtime", "connectors/*"],
  // HTTP is what descriptions of services are loaded by and what several calls are spoken over: one client, one set of rules for all.
  "connectors/*": ["connector-kit", "model", "connectors/http"],
  "apps/cli": ["model", "host"],
};

/** No clock, chance, environment, timers or I/O: time and ids arrive as data. */
export const PURE_LAYERS: readonly string[] = ["model", "expression", "definition", "engine"];

/** Built-in modules that a layer may import, with the names it may take from them. Layers that are not listed may import any. */
export const BUILT_INS: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  model: {},
  expression: {},
  definition: {},
  // Tokens and ids of children derive from what identifies them.
  engine: { "node:crypto": ["hash"] },
  // Digests of documents and payloads. Everything else goes through `Env`, the store or a connector.
  runtime: { "node:crypto": ["hash"] },
};

export const FILE_LINES_MAX = 500;
