import type { Finding, FunctionInterface } from "@tutti/definition";

/** A document with one thing wrong. `▸` stands where the finding must be; a head with `document:` is put before it as line 1. */
export interface LinterCase {
  readonly about: string;
  readonly rule: string;
  readonly severity: Finding["severity"];
  readonly text: string;
  readonly head?: false;
  readonly functions?: ReadonlyMap<string, FunctionInterface>;
}

const NAMED_FUNCTIONS: ReadonlyMap<string, FunctionInterface> = new Map([
  [
    "vm.create:1@bank",
    {
      inputSchema: {
        type: "object",
        properties: { name: { type: "string" }, size: { enum: ["s", "m"] } },
        required: ["name"],
        additionalProperties: false,
      },
    },
  ],
]);
const IRREVERSIBLE: ReadonlyMap<string, FunctionInterface> = new Map([
  ["money.pay:1@bank", { irreversible: true }],
  ["approval:1@default", {}],
]);

function error(rule: string, about: string, text: string, more: Partial<LinterCase> = {}): LinterCase {
  return { rule, about, severity: "error", text, ...more };
}
function warning(rule: string, about: string, text: string, more: Partial<LinterCase> = {}): LinterCase {
  return { rule, about, severity: "warning", text, ...more };
}
function note(rule: string, about: string, text: string): LinterCase {
  return { rule, about, severity: "note", text };
}

/** A document with a schedule and a setting of `metadata.tutti.schedule`. */
function scheduled(schedule: string, setting: string): string {
  const head = "document:\n  dsl: 1.0.3\n  namespace: corpus\n  name: bad\n  version: 1.0.0\n";
  return `${head}  metadata:\n    tutti:\n      schedule:\n        ${setting}\nschedule:\n  ${schedule}\ndo:\n- a: { set: { x: 1 } }\n`;
}

/** All items of the linter's list, and what our decisions about the language's traps add to them. */
export const LINTER_CORPUS: readonly LinterCase[] = [
  // Flow.
  error("unknown-then-target", "then names no task", "do:\n- a:\n    set: { x: 1 }\n    then: ▸nowhere\n"),
  error(
    "unknown-then-target",
    "then names a task of another list",
    "do:\n- a:\n    do:\n    - b:\n        set: { x: 1 }\n        then: ▸c\n- c: { set: { x: 1 } }\n",
  ),
  error("unknown-then-target", "a case names no task", "do:\n- a:\n    switch:\n    - one: { when: .x, then: ▸nowhere }\n"),
  error("unknown-then-target", "a catch names no task", "do:\n- a:\n    try: [{ b: { set: { x: 1 } } }]\n    catch: { then: ▸nowhere }\n"),
  error(
    "unknown-then-target",
    "a branch names another branch",
    "do:\n- a:\n    fork:\n      branches:\n      - b: { set: { x: 1 }, then: ▸c }\n      - c: { set: { x: 1 } }\n",
  ),
  error("duplicate-task", "two tasks of one name", "do:\n- a: { set: { x: 1 } }\n- ▸a: { set: { x: 2 } }\n"),
  error(
    "duplicate-extension",
    "two extensions of one name",
    "use:\n  extensions:\n  - log: { extend: all, before: [{ a: { set: { x: 1 } } }] }\n  - ▸log: { extend: set, after: [{ a: { set: { x: 1 } } }] }\ndo:\n- a: { set: { x: 1 } }\n",
  ),
  warning(
    "empty-extension",
    "an extension that does nothing",
    "use:\n  extensions:\n  - ▸log: { extend: all }\ndo:\n- a: { set: { x: 1 } }\n",
  ),
  error("two-default-cases", "two cases without when", "do:\n- a:\n    switch:\n    - one: { then: end }\n    - ▸two: { then: exit }\n"),
  error(
    "duplicate-case",
    "two cases of one name",
    "do:\n- a:\n    switch:\n    - one: { when: .x, then: end }\n    - ▸one: { then: exit }\n",
  ),
  error("reserved-task-name", "a task named like a directive", "do:\n- ▸end: { set: { x: 1 } }\n"),
  error("empty-do", "no tasks", "▸do: []\n"),
  error("empty-do", "no tasks in a loop", "do:\n- a:\n    for: { in: .xs }\n    ▸do: []\n"),
  error("empty-fork", "no branches", "do:\n- a:\n    fork:\n      ▸branches: []\n"),
  error(
    "nesting-too-deep",
    "more than 64 tasks in each other",
    `do: ${"[{ a: { do: ".repeat(64)}[{ ▸a: { set: { x: 1 } } }]${" } }]".repeat(64)}\n`,
  ),
  warning("busy-loop", "a jump back without waiting", "do:\n- a: { set: { x: 1 } }\n- b:\n    set: { x: 2 }\n    then: ▸a\n"),

  // Expressions.
  error("expression-syntax", "jq that does not parse", "do:\n- a:\n    set: { x: '${ .a | ▸}' }\n"),
  error("expression-syntax", "an unknown function", "do:\n- a:\n    if: ▸nothing(.a)\n    set: { x: 1 }\n"),
  error("expression-in-text", "an expression inside of text", 'do:\n- a:\n    set: { x: "Hello ▸${ .name }" }\n'),
  error("expression-in-text", "two expressions in a text", 'do:\n- a:\n    set: { x: "${ .first } ▸${ .last }" }\n'),
  warning("expression-not-wrapped", "a path without wrapper in data", "do:\n- a:\n    set: { x: ▸.customer }\n"),
  error("unknown-variable", "a misspelt variable", "do:\n- a:\n    set: { x: '${ ▸$contxt.a }' }\n"),
  error("unknown-variable", "the environment", "do:\n- a:\n    set: { x: '${ ▸$ENV.HOME }' }\n"),
  error(
    "unknown-variable",
    "a loop's variable after the loop",
    "do:\n- a:\n    for: { each: item, in: .xs }\n    do: [{ b: { set: { x: '${ $item }' } } }]\n- c: { set: { x: '${ ▸$item }' } }\n",
  ),
  error(
    "unknown-variable",
    "an error outside of its catch",
    "do:\n- a:\n    try: [{ b: { set: { x: '${ ▸$error }' } } }]\n    catch: { do: [{ c: { set: { x: '${ $error }' } } }] }\n",
  ),
  error("unavailable-variable", "the task's output in set", "do:\n- a:\n    set: { x: '${ ▸$output }' }\n"),
  error("unavailable-variable", "the task's input in if", "do:\n- a:\n    if: ▸$input.x\n    set: { x: 1 }\n"),
  error("unavailable-variable", "context in the workflow's input", "input:\n  from: ▸$context.x\ndo:\n- a: { set: { x: 1 } }\n"),
  error("unavailable-variable", "the task in the workflow's output", "output:\n  as: '${ ▸$task.name }'\ndo:\n- a: { set: { x: 1 } }\n"),
  error(
    "unavailable-variable",
    "secrets in data that is called authentication",
    "use: { secrets: [key] }\ndo:\n- a:\n    set: { authentication: '${ ▸$secrets.key }' }\n",
  ),
  error(
    "unavailable-variable",
    "secrets in the arguments of a program",
    "use: { secrets: [key] }\ndo:\n- a:\n    call: mcp\n    with: { method: tools/list, transport: { stdio: { command: x, arguments: ['${ ▸$secrets.key }'] } } }\n",
  ),
  error("unavailable-variable", "secrets become data", "use: { secrets: [key] }\ndo:\n- a:\n    set: { x: '${ ▸$secrets.key }' }\n"),
  error(
    "unavailable-variable",
    "secrets in input.from",
    "use: { secrets: [key] }\ndo:\n- a:\n    input: { from: '${ ▸$secrets.key }' }\n    set: { x: 1 }\n",
  ),
  error(
    "unavailable-variable",
    "secrets as the input of a function of the document",
    "use: { secrets: [key], functions: { f: { set: { x: 1 } } } }\ndo:\n- a: { call: f, with: { x: '${ ▸$secrets.key }' } }\n",
  ),
  warning(
    "unknown-output",
    "outputs of a task that is not there",
    "do:\n- first: { set: { x: 1 } }\n- a:\n    set: { x: '${ ▸$runtime.metadata.outputs.frst }' }\n",
  ),
  note("runtime-outputs", "outputs of earlier tasks", "do:\n- a:\n    set: { x: '${ ▸$runtime.metadata.outputs.b }' }\n"),

  // References.
  error("unknown-function", "a function that nobody defines", "do:\n- a: { call: ▸getPet }\n"),
  error("unknown-function", "a connector's function that is not installed", "do:\n- a: { call: ▸vm.crate:1@bank, with: { name: x } }\n", {
    functions: NAMED_FUNCTIONS,
  }),
  error(
    "unknown-function",
    "a find that nobody defines",
    "do:\n- a:\n    run: { shell: { command: ls } }\n    metadata: { tutti: { effect: { class: findable, find: ▸lookUp } } }\n",
  ),
  error("unknown-catalog", "a catalog that is not declared", "do:\n- a: { call: ▸'log:1.0.0@mine' }\n"),
  error("unknown-retry", "a retry policy", "do:\n- a:\n    try: [{ b: { set: { x: 1 } } }]\n    catch: { retry: ▸often }\n"),
  error(
    "unknown-timeout",
    "a timeout of a task",
    "use: { timeouts: { short: { after: PT1S } } }\ndo:\n- a: { set: { x: 1 }, timeout: ▸shrot }\n",
  ),
  error("unknown-timeout", "a timeout of the workflow", "timeout: ▸short\ndo:\n- a: { set: { x: 1 } }\n"),
  error("unknown-error", "an error", "do:\n- a: { raise: { error: ▸broken } }\n"),
  error(
    "unknown-authentication",
    "an authentication",
    "do:\n- a:\n    call: http\n    with:\n      method: get\n      endpoint: { uri: 'https://example.com', authentication: { use: ▸mine } }\n",
  ),
  error(
    "unknown-secret",
    "a secret of an authentication",
    "do:\n- a:\n    call: http\n    with:\n      method: get\n      endpoint: { uri: 'https://example.com', authentication: { basic: { use: ▸login } } }\n",
  ),
  error(
    "unknown-secret",
    "a secret in an expression",
    "use: { secrets: [token] }\ndo:\n- a:\n    call: http\n    with:\n      method: get\n      endpoint: { uri: 'https://example.com', authentication: { bearer: { token: '${ ▸$secrets.tokn }' } } }\n",
  ),
  error(
    "recursive-function",
    "a function that calls itself",
    "use:\n  functions:\n    again:\n      do: [{ a: { call: ▸again } }]\ndo:\n- a: { call: again }\n",
  ),
  error(
    "recursive-function",
    "two functions that call each other",
    "use:\n  functions:\n    one: { do: [{ a: { call: two } }] }\n    two: { do: [{ a: { call: ▸one } }] }\ndo:\n- a: { call: one }\n",
  ),
  error(
    "function-arguments",
    "an argument of the wrong kind",
    "do:\n- a:\n    call: vm.create:1@bank\n    with: { name: x, ▸size: xl }\n",
    { functions: NAMED_FUNCTIONS },
  ),
  error(
    "function-arguments",
    "an argument that the function does not have",
    "do:\n- a:\n    call: vm.create:1@bank\n    with: { name: '${ .name }', ▸sise: m }\n",
    { functions: NAMED_FUNCTIONS },
  ),
  error(
    "function-arguments",
    "a missing argument of a function of the document",
    "use:\n  functions:\n    hello:\n      input: { schema: { document: { type: object, required: [name] } } }\n      set: { x: '${ .name }' }\ndo:\n- a:\n    call: hello\n    ▸with: { nmae: x }\n",
  ),

  // Schedule, endpoints, scripts, durations, schemas.
  error("malformed-cron", "no cron expression", "schedule: { cron: ▸not cron }\ndo:\n- a: { set: { x: 1 } }\n"),
  error("malformed-cron", "an hour too late", "schedule:\n  cron: 0 ▸24 * * *\ndo:\n- a: { set: { x: 1 } }\n"),
  error("malformed-cron", "a range backwards", "schedule:\n  cron: 0 0 * * ▸fri-mon\ndo:\n- a: { set: { x: 1 } }\n"),
  error("malformed-cron", "a day that no month has", "schedule:\n  cron: 0 0 ▸30 feb *\ndo:\n- a: { set: { x: 1 } }\n"),
  error("schedule-interval", "an interval too short", "schedule: { every: ▸PT0.5S }\ndo:\n- a: { set: { x: 1 } }\n"),
  error("schedule-conflict", "cron together with every", "schedule: { every: PT1H, ▸cron: 0 0 * * * }\ndo:\n- a: { set: { x: 1 } }\n"),
  error("empty-schedule", "a schedule without trigger", "▸schedule: {}\ndo:\n- a: { set: { x: 1 } }\n"),
  error("unknown-top-level-key", "a misspelt key at the top", "▸doo: []\ndo:\n- a: { set: { x: 1 } }\n"),
  error("malformed-endpoint", "a scheme without colon", "do:\n- a:\n    call: http\n    with: { method: get, endpoint: ▸htps//oops }\n"),
  error("malformed-endpoint", "a misspelt scheme", "do:\n- a:\n    call: http\n    with: { method: get, endpoint: ▸htps://oops }\n"),
  error("malformed-endpoint", "no host", "do:\n- a:\n    call: http\n    with: { method: get, endpoint: { uri: ▸/pets } }\n"),
  error(
    "malformed-endpoint",
    "a malformed port",
    "do:\n- a:\n    call: openapi\n    with: { document: { endpoint: ▸'https://host:port/a.json' }, operationId: x }\n",
  ),
  error(
    "unknown-script-language",
    "a language without runner",
    "do:\n- a:\n    run: { script: { language: ▸cobol, code: x } }\n    metadata: { tutti: { effect: { class: read } } }\n",
  ),
  error("malformed-duration", "a negative wait", "do:\n- a: { ▸wait: { seconds: -1 } }\n"),
  error("schema-format", "a schema in another format", "input:\n  schema: { format: ▸avro, document: {} }\ndo:\n- a: { set: { x: 1 } }\n"),
  error(
    "malformed-schema",
    "a schema with an unknown type",
    "input:\n  schema: { document: { type: ▸text } }\ndo:\n- a: { set: { x: 1 } }\n",
  ),
  error(
    "malformed-schema",
    "a schema that leads elsewhere",
    "input:\n  schema: { document: { $ref: ▸'https://example.com/schema.json' } }\ndo:\n- a: { set: { x: 1 } }\n",
  ),
  error("malformed-pattern", "an event pattern that is none", "do:\n- a: { listen: { to: { one: { with: { type: ▸'^(' } } } } }\n"),

  // Operations.
  error("unknown-timezone", "a time zone that is none", scheduled("cron: 0 0 * * *", "timezone: ▸Europe/Berln"), { head: false }),
  error("unknown-timezone", "an offset", scheduled("cron: 0 0 * * *", "timezone: ▸'+02:00'"), { head: false }),
  error("profile-value", "a misfire policy that is none", scheduled("every: PT1H", "misfire: ▸twice"), { head: false }),
  error("profile-value", "a misfire bound that is none", scheduled("every: PT1H", "misfire: { policy: all, within: ▸'${ .x }' }"), {
    head: false,
  }),
  error("profile-value", "an overlap that is none", scheduled("every: PT1H", "overlap: ▸forbid"), { head: false }),
  warning("schedule-setting-unused", "a time zone for an interval", scheduled("every: PT1H", "▸timezone: Europe/Berlin"), { head: false }),
  warning("schedule-setting-unused", "misfire for events", scheduled("on: { any: [] }", "▸misfire: once"), { head: false }),
  error("profile-unknown-key", "a misspelt key", "do:\n- a:\n    call: x.y:1@bank\n    metadata: { tutti: { ▸efect: { class: read } } }\n"),
  error(
    "profile-not-available",
    "a key of a later version",
    "do:\n- a:\n    call: x.y:1@bank\n    metadata: { tutti: { ▸precondition: .ok } }\n",
  ),
  error(
    "profile-value",
    "an effect class that is none",
    "do:\n- a:\n    call: x.y:1@bank\n    metadata: { tutti: { effect: { class: ▸safe } } }\n",
  ),
  error(
    "profile-value",
    "a key that effect does not have",
    "do:\n- a:\n    call: x.y:1@bank\n    metadata: { tutti: { effect: { class: read, ▸sttle: PT1S } } }\n",
  ),
  error(
    "profile-value",
    "a limit of nothing",
    "do:\n- a:\n    call: x.y:1@bank\n    metadata: { tutti: { concurrency: { key: .x, limit: ▸0 } } }\n",
  ),
  error(
    "profile-misplaced",
    "an effect of a task that has none",
    "do:\n- a:\n    set: { x: 1 }\n    metadata: { tutti: { ▸effect: { class: read } } }\n",
  ),
  error(
    "profile-misplaced",
    "a retention of a task",
    "do:\n- a:\n    set: { x: 1 }\n    metadata: { tutti: { ▸retention: { runs: P30D } } }\n",
  ),
  error(
    "profile-value",
    "a retention that an expression would have to say",
    "document:\n  dsl: 1.0.3\n  namespace: corpus\n  name: bad\n  version: 1.0.0\n  metadata: { tutti: { retention: { runs: ▸'${ .days }' } } }\ndo:\n- a: { set: { x: 1 } }\n",
    { head: false },
  ),
  error(
    "profile-value",
    "logs that stay longer than their run",
    "document:\n  dsl: 1.0.3\n  namespace: corpus\n  name: bad\n  version: 1.0.0\n  metadata: { tutti: { retention: { runs: P30D, logs: ▸P60D } } }\ndo:\n- a: { set: { x: 1 } }\n",
    { head: false },
  ),
  error(
    "profile-misplaced",
    "an effect of the document",
    "document:\n  dsl: 1.0.3\n  namespace: corpus\n  name: bad\n  version: 1.0.0\n  metadata: { tutti: { ▸effect: { class: read } } }\ndo:\n- a: { set: { x: 1 } }\n",
    { head: false },
  ),
  error(
    "findable-without-find",
    "findable without find",
    "do:\n- a:\n    call: x.y:1@bank\n    metadata: { tutti: { effect: { class: ▸findable } } }\n",
  ),
  error(
    "expression-syntax",
    "an idempotency key that does not parse",
    "do:\n- a:\n    call: x.y:1@bank\n    metadata: { tutti: { idempotencyKey: '.a ▸)' } }\n",
  ),
  warning(
    "unsafe-effect",
    "a POST that nothing makes safe",
    "do:\n- a:\n    ▸call: http\n    with: { method: post, endpoint: 'https://example.com' }\n",
  ),
  warning(
    "unsafe-effect",
    "a message that nothing makes safe",
    "do:\n- a:\n    ▸call: asyncapi\n    with: { document: { endpoint: a.json }, channel: c, message: { payload: {} } }\n",
  ),
  warning(
    "unsafe-effect",
    "a tool that nothing makes safe",
    "do:\n- a:\n    ▸call: mcp\n    with: { method: tools/call, parameters: { name: t }, transport: { stdio: { command: x } } }\n",
  ),
  error(
    "unsupported-protocol",
    "a protocol that nobody speaks here",
    "do:\n- a:\n    call: asyncapi\n    with: { document: { endpoint: a.json }, channel: c, protocol: ▸kafka, subscription: { consume: { amount: 1 } } }\n",
  ),
  error(
    "empty-subscription",
    "a subscription to no message",
    "do:\n- a:\n    call: asyncapi\n    with: { document: { endpoint: a.json }, channel: c, subscription: { consume: { amount: ▸0 } } }\n",
  ),
  error(
    "unavailable-variable",
    "a secret in a question about messages",
    "use: { secrets: [s] }\ndo:\n- a:\n    call: asyncapi\n    with: { document: { endpoint: a.json }, channel: c, subscription: { filter: '${ ▸$secrets.s == . }', consume: { amount: 1 } } }\n",
  ),
  warning("unsafe-effect", "a command that nothing makes safe", "do:\n- a:\n    ▸run: { shell: { command: ls } }\n"),

  // Sagas.
  warning(
    "saga-without-approval",
    "a request in a saga that nothing undoes",
    "do:\n- s:\n    metadata: { tutti: { saga: { on: [faulted] } } }\n    do:\n    - a:\n        ▸call: http\n        with: { method: put, endpoint: 'https://example.com' }\n",
  ),
  warning(
    "saga-without-approval",
    "an irreversible function of a connector, approved too late",
    "do:\n- s:\n    metadata: { tutti: { saga: { order: reverse } } }\n    do:\n    - pay:\n        ▸call: money.pay:1@bank\n    - ask:\n        call: approval:1@default\n",
    { functions: IRREVERSIBLE },
  ),
  warning(
    "saga-without-approval",
    "a command inside of a loop, in a document that is a saga",
    "document:\n  dsl: 1.0.3\n  namespace: corpus\n  name: bad\n  version: 1.0.0\n  metadata: { tutti: { saga: {} } }\ndo:\n- a:\n    for: { in: '[1]' }\n    do:\n    - b:\n        ▸run: { shell: { command: ls } }\n",
    { head: false },
  ),
  warning(
    "saga-without-approval",
    "a function of the document whose body nothing undoes",
    "use:\n  functions:\n    send: { call: http, with: { method: post, endpoint: 'https://example.com' } }\ndo:\n- s:\n    metadata: { tutti: { saga: {} } }\n    do:\n    - a: { ▸call: send }\n",
  ),
  error(
    "profile-misplaced",
    "a saga of a task that is no scope",
    "do:\n- a:\n    call: x.y:1@bank\n    metadata: { tutti: { ▸saga: { on: [faulted] } } }\n",
  ),
  error(
    "profile-value",
    "an order that is none",
    "do:\n- a:\n    metadata: { tutti: { saga: { order: ▸backwards } } }\n    do: [{ b: { set: { x: 1 } } }]\n",
  ),
  error(
    "profile-value",
    "a saga that starts on nothing",
    "do:\n- a:\n    metadata: { tutti: { saga: { ▸on: [] } } }\n    do: [{ b: { set: { x: 1 } } }]\n",
  ),
  error(
    "unknown-function",
    "an undo that names no function",
    "do:\n- a:\n    call: x.y:1@bank\n    metadata: { tutti: { compensate: ▸undo } }\n",
  ),

  // Data flow and portability.
  warning(
    "dropped-field",
    "a field of the input that a task replaces",
    "input: { schema: { document: { properties: { id: {} } } } }\ndo:\n- a: { set: { x: 1 } }\n- b: { set: { y: ▸'${ .id }' } }\n",
  ),
  warning(
    "dropped-field",
    "a field of an earlier output",
    "do:\n- a: { set: { x: 1, id: 2 } }\n- b: { set: { y: '${ .x }' } }\n- c:\n    call: http\n    with: { method: get, endpoint: ▸'https://example.com/{id}' }\n",
  ),
  warning(
    "fork-export-conflict",
    "two branches export one field",
    "do:\n- a:\n    fork:\n      branches:\n      - b: { set: { x: 1 }, export: { as: { r: .x } } }\n      - c: { set: { x: 1 }, export: { ▸as: '$context + { r: .x }' } }\n",
  ),
  note("newer-than-1.0.3", "catch.then", "do:\n- a:\n    try: [{ b: { set: { x: 1 } } }]\n    catch: { ▸then: end }\n"),
  note("newer-than-1.0.3", "evaluate", "▸evaluate: { language: jq }\ndo:\n- a: { set: { x: 1 } }\n"),
  note("newer-than-1.0.3", "an inline list in for.in", "do:\n- a:\n    for: { ▸in: [{ x: 1 }] }\n    do: [{ b: { set: { x: 1 } } }]\n"),
  note("newer-than-1.0.3", "emit without source", "do:\n- a: { emit: { event: { ▸with: { type: x } } } }\n"),

  note("newer-than-1.0.3", "a relative URI", "do:\n- a: { call: openapi, with: { document: { ▸endpoint: /api.json }, operationId: x } }\n"),

  // Shape.
  error("schema-missing-key", "a call without endpoint", "do:\n- a:\n    call: http\n    ▸with: { method: get }\n"),
  error("schema-unknown-key", "a misspelt key of a task", "do:\n- a:\n    set: { x: 1 }\n    ▸thn: end\n"),
  error(
    "schema-type",
    "a number where text belongs",
    "do:\n- a:\n    call: http\n    with: { method: ▸1, endpoint: 'https://example.com' }\n",
  ),
  error("schema-value", "a task of no kind", "do:\n- ▸a:\n    cal: http\n"),
  error("duplicate-key", "a key twice", "do:\n- a: { set: { x: 1, ▸x: 2 } }\n"),
  error("yaml-syntax", "no YAML", "do: [\n▸"),
];
