import { isJsonObject, type Json, type JsonObject, ownProperty } from "@tutti/model";
import { joinPointer } from "../json-pointer.ts";
import type { Availability } from "./availability.ts";
import { type LintContext, listAt, member, textAt } from "./context.ts";
import { caughtVariable, iteratorVariables, loopVariables, type TaskSite } from "./task-sites.ts";

/**
 * How a text is read: `expression` positions hold nothing else, and the wrapper is optional; in `literal` positions a text is data unless
 * it is `${ … }` as a whole; `code` is a literal for another interpreter, in which `${` means something else.
 */
export type Style = "expression" | "literal" | "code";

/** A text that is, or may be, an expression. */
export interface ExpressionPosition {
  readonly pointer: string;
  readonly text: string;
  readonly style: Style;
  readonly availability: Availability;
  readonly locals: readonly string[];
  /** The task that it is part of, if it is part of one. */
  readonly site?: TaskSite;
}

type Scope = Pick<ExpressionPosition, "availability" | "locals" | "site">;
type Positions = Generator<ExpressionPosition, void>;

/** All positions of a document in which expressions can stand. Schemas, metadata and names are none. */
export function* expressionPositions(context: LintContext): Positions {
  const { document, use } = context;
  const workflow: Scope = { availability: "workflow", locals: [] };
  yield* mapping(member(document, "input"), "from", "/input", workflow);
  yield* mapping(member(document, "output"), "as", "/output", { availability: "workflowOutput", locals: [] });
  yield* literals(member(document, "timeout"), "/timeout", workflow);
  const schedule = member(document, "schedule");
  for (const key of ["every", "after"]) yield* literals(ownProperty(schedule, key), `/schedule/${key}`, workflow);
  yield* strategy(ownProperty(schedule, "on"), "/schedule/on", workflow);
  yield* profile(member(document, "document"), "/document", workflow);
  yield* reusables(context, use);
  const functions = new Set(Object.keys(member(use, "functions")));
  for (const site of context.sites) yield* task(site, functions);
}

function* reusables(context: LintContext, use: JsonObject): Positions {
  const definition: Scope = { availability: "definition", locals: [] };
  yield* literals(member(use, "authentications"), "/use/authentications", { availability: "sent", locals: [] });
  yield* literals(member(use, "catalogs"), "/use/catalogs", { availability: "workflow", locals: [] });
  yield* literals(member(use, "errors"), "/use/errors", definition);
  yield* literals(member(use, "timeouts"), "/use/timeouts", definition);
  const users = Map.groupBy(context.sites, (site) => textAt(member(site.task, "catch"), "retry"));
  for (const [name, policy] of Object.entries(member(use, "retries"))) {
    // A policy sees what every catch that uses it has.
    const [first, ...others] = (users.get(name) ?? []).map((site) => [caughtVariable(site), ...site.locals]);
    const locals = first?.filter((local) => others.every((other) => other.includes(local))) ?? ["error"];
    yield* retry(policy, joinPointer("/use/retries", name), { availability: "definition", locals });
  }
  for (const [index, item] of listAt(use, "extensions").entries()) {
    if (!isJsonObject(item)) continue;
    for (const name of Object.keys(item))
      yield* expression(member(item, name), "when", joinPointer("/use/extensions", index, name), definition);
  }
}

function* task(site: TaskSite, functions: ReadonlySet<string>): Positions {
  const { task: value, pointer, locals } = site;
  const at = (...segments: readonly (string | number)[]): string => joinPointer(pointer, ...segments);
  yield* expression(value, "if", pointer, { availability: "taskInput", locals, site });
  yield* mapping(member(value, "input"), "from", at("input"), { availability: "taskInput", locals, site });
  yield* mapping(member(value, "output"), "as", at("output"), { availability: "taskOutput", locals, site });
  yield* mapping(member(value, "export"), "as", at("export"), { availability: "taskExport", locals, site });
  const definition: Scope = { availability: "definition", locals, site };
  yield* literals(member(value, "timeout"), at("timeout"), definition);
  yield* profile(value, pointer, definition);
  // Arguments of a function of the document are its input, so data of the run; all others leave the run.
  if (site.kind === "call") yield* callArguments(site, at("with"), functions.has(textAt(value, "call") ?? "") ? "definition" : "sent");
  else yield* body(site, definition, at);
}

function* body(site: TaskSite, definition: Scope, at: (...segments: readonly (string | number)[]) => string): Positions {
  const { task: value, locals } = site;
  switch (site.kind) {
    case "run":
      return yield* literals(member(value, "run"), at("run"), definition);
    case "set":
      return yield* mapping(value, "set", site.pointer, definition);
    case "switch":
      for (const [index, item] of listAt(value, "switch").entries()) {
        if (!isJsonObject(item)) continue;
        for (const name of Object.keys(item)) yield* expression(member(item, name), "when", at("switch", index, name), definition);
      }
      return;
    case "for":
      yield* mapping(member(value, "for"), "in", at("for"), definition);
      return yield* expression(value, "while", site.pointer, { ...definition, locals: [...locals, ...loopVariables(site)] });
    case "raise":
      return yield* literals(member(member(value, "raise"), "error"), at("raise", "error"), definition);
    case "emit":
      return yield* literals(member(member(value, "emit"), "event"), at("emit", "event"), definition);
    case "wait":
      return yield* literals(ownProperty(value, "wait"), at("wait"), definition);
    case "listen":
      yield* strategy(member(value, "listen")["to"], at("listen", "to"), definition);
      return yield* iterator(value, site.pointer, locals);
    case "try": {
      const scope: Scope = { ...definition, locals: [...locals, caughtVariable(site)] };
      const caught = member(value, "catch");
      yield* expression(caught, "when", at("catch"), scope);
      yield* expression(caught, "exceptWhen", at("catch"), scope);
      return yield* retry(ownProperty(caught, "retry"), at("catch", "retry"), scope);
    }
    case "call":
    case "do":
    case "fork":
      return;
  }
}

function* callArguments(site: TaskSite, pointer: string, availability: Availability): Positions {
  const given = member(site.task, "with");
  const scope: Scope = { availability, locals: site.locals, site };
  for (const [key, value] of Object.entries(given)) {
    if (key !== "subscription" || site.task["call"] !== "asyncapi" || !isJsonObject(value)) {
      yield* literals(value, joinPointer(pointer, key), scope);
      continue;
    }
    const at = joinPointer(pointer, key);
    // Asked of each message that comes: nothing of it is sent, so no secret is in reach.
    const asked: Scope = { ...scope, availability: "definition" };
    const consume = member(value, "consume");
    yield* expression(value, "filter", at, asked);
    yield* expression(consume, "while", joinPointer(at, "consume"), asked);
    yield* expression(consume, "until", joinPointer(at, "consume"), asked);
    yield* literals(ownProperty(consume, "for"), joinPointer(at, "consume", "for"), scope);
    yield* iterator(value, at, site.locals);
  }
}

/** What `foreach` does with each item besides its tasks. */
function* iterator(owner: JsonObject, pointer: string, outer: readonly string[]): Positions {
  const foreach = member(owner, "foreach");
  const locals = [...outer, ...iteratorVariables(owner)];
  yield* mapping(member(foreach, "output"), "as", joinPointer(pointer, "foreach", "output"), { availability: "taskOutput", locals });
  yield* mapping(member(foreach, "export"), "as", joinPointer(pointer, "foreach", "export"), { availability: "taskExport", locals });
}

function* retry(policy: Json | undefined, pointer: string, scope: Scope): Positions {
  if (!isJsonObject(policy)) return;
  yield* expression(policy, "when", pointer, scope);
  yield* expression(policy, "exceptWhen", pointer, scope);
  for (const key of ["delay", "limit", "jitter"]) yield* literals(ownProperty(policy, key), joinPointer(pointer, key), scope);
}

function* strategy(value: Json | undefined, pointer: string, scope: Scope): Positions {
  if (!isJsonObject(value)) return;
  for (const key of ["one", "any", "all"]) {
    const filters = ownProperty(value, key);
    const list = Array.isArray(filters) ? (filters as readonly Json[]).entries() : [[undefined, filters] as const];
    for (const [index, filter] of list) {
      if (isJsonObject(filter))
        yield* eventFilter(filter, index === undefined ? joinPointer(pointer, key) : joinPointer(pointer, key, index), scope);
    }
  }
  yield* expression(value, "until", pointer, scope);
  yield* strategy(ownProperty(value, "until"), joinPointer(pointer, "until"), scope);
}

function* eventFilter(filter: JsonObject, pointer: string, scope: Scope): Positions {
  yield* literals(member(filter, "with"), joinPointer(pointer, "with"), scope);
  for (const [name, correlation] of Object.entries(member(filter, "correlate"))) {
    if (!isJsonObject(correlation)) continue;
    const at = joinPointer(pointer, "correlate", name);
    yield* expression(correlation, "from", at, scope);
    yield* literals(ownProperty(correlation, "expect"), joinPointer(at, "expect"), scope);
  }
}

/** Expressions of `metadata.tutti`; nothing else of metadata is ever evaluated. */
function* profile(owner: JsonObject, pointer: string, scope: Scope): Positions {
  const keys = member(member(owner, "metadata"), "tutti");
  const at = joinPointer(pointer, "metadata", "tutti");
  yield* expression(keys, "idempotencyKey", at, scope);
  yield* expression(member(keys, "concurrency"), "key", joinPointer(at, "concurrency"), scope);
}

/** A text that is nothing but an expression. */
function* expression(owner: JsonObject, key: string, pointer: string, scope: Scope): Positions {
  const text = textAt(owner, key);
  if (text !== undefined) yield { pointer: joinPointer(pointer, key), text, style: "expression", ...scope };
}

/** An expression, or data with expressions in it. */
function* mapping(owner: JsonObject, key: string, pointer: string, scope: Scope): Positions {
  if (textAt(owner, key) !== undefined) yield* expression(owner, key, pointer, scope);
  else yield* literals(ownProperty(owner, key), joinPointer(pointer, key), scope);
}

/** Members that another interpreter reads. */
const CODE_KEYS: ReadonlySet<string> = new Set(["code", "command"]);

/** All texts of a value, at any depth. What goes to another system may read secrets. */
function* literals(value: Json | undefined, pointer: string, scope: Scope, style: Style = "literal"): Positions {
  if (typeof value === "string") {
    yield { pointer, text: value, style, ...scope };
  } else if (Array.isArray(value)) {
    for (const [index, item] of (value as readonly Json[]).entries()) yield* literals(item, joinPointer(pointer, index), scope, style);
  } else if (isJsonObject(value)) {
    const isProcess = /\/run\/(?:container|script|shell)$/.test(pointer);
    for (const [key, item] of Object.entries(value)) {
      const inner = isProcess && CODE_KEYS.has(key) ? "code" : style;
      yield* literals(
        item,
        joinPointer(pointer, key),
        { ...scope, availability: availabilityAt(joinPointer(pointer, key), scope.availability) },
        inner,
      );
    }
  }
}

/** Where secrets may be read although what lies around it is data of the run. */
const SENT_WITHIN_DATA =
  /^\/use\/catalogs\/[^/]+\/endpoint\/authentication$|\/run\/script\/source\/endpoint\/authentication$|\/run\/(?:container|script|shell)\/environment$/;
/** The arguments of a program can be read by everybody on its machine: secrets go into its environment. */
const SEEN_BY_ALL = /\/with\/transport\/stdio\/(?:command|arguments)$/;

function availabilityAt(pointer: string, outer: Availability): Availability {
  if (outer === "sent" && SEEN_BY_ALL.test(pointer)) return "definition";
  if (!SENT_WITHIN_DATA.test(pointer)) return outer;
  return outer === "workflow" ? "workflowSent" : outer === "definition" ? "sent" : outer;
}
