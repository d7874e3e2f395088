import { isJsonObject, type Json, type JsonObject } from "@tutti/model";
import { compileExpression, compileTemplate, compileUri, type Locals, objectTemplate } from "./compile-template.ts";
import type { Expression, Template } from "./program.ts";

/** Calls of the language that this engine carries out; the others are valid and refused at the start of a run. */
const SUPPORTED_CALLS: readonly string[] = ["http", "openapi", "grpc", "asyncapi", "mcp"];
const LANGUAGE_CALLS: readonly string[] = [...SUPPORTED_CALLS, "a2a"];
/** `<resource>.<operation>:<major>@<connector>`. */
const CONNECTOR_FUNCTION = /^[a-z0-9-]+(?:\.[a-z0-9-]+)+:\d+(?:\.\d+){0,2}@[a-z0-9-]+$/;
const CONSUME_QUESTIONS = ["while", "until"] as const;

/** Compiles the arguments of calls and processes: references to `use.authentications` are put in, URIs become URI templates. */
export class CallCompiler {
  readonly #use: JsonObject;
  readonly #refuse: (construct: string, pointer: string) => void;

  constructor(use: JsonObject, refuse: (construct: string, pointer: string) => void) {
    this.#use = use;
    this.#refuse = refuse;
  }

  callArguments(name: string, given: JsonObject, locals: Locals, pointer: string): Template {
    if (LANGUAGE_CALLS.includes(name)) {
      if (!SUPPORTED_CALLS.includes(name)) {
        this.#refuse(`call: ${name}`, `${pointer}/call`);
        return { kind: "literal", value: given };
      }
      return objectTemplate(given, (value, key) => {
        if (key === "endpoint") return this.#endpoint(value, locals);
        if (key === "document" || key === "proto") return this.#resource(value, locals);
        if (key === "service") return this.#service(value, locals);
        if (key === "authentication") return compileTemplate(this.#authentication(value), locals);
        if (key === "transport") return this.#transport(value, locals);
        if (key === "subscription") return this.#subscription(value, locals);
        return compileTemplate(value, locals);
      });
    }
    if (!CONNECTOR_FUNCTION.test(name)) this.#refuse(`call: ${name}`, `${pointer}/call`);
    return compileTemplate(given, locals);
  }

  /** Expressions of a call that are asked while it runs, and so are no part of what is sent. */
  questions(name: string, given: JsonObject, locals: Locals): Readonly<Record<string, Expression>> | undefined {
    const subscription = given["subscription"];
    if (name !== "asyncapi" || !isJsonObject(subscription)) return undefined;
    const consume = isJsonObject(subscription["consume"]) ? subscription["consume"] : {};
    const questions: Record<string, Expression> = {};
    for (const [key, text] of [
      ["filter", subscription["filter"]],
      ...CONSUME_QUESTIONS.map((key) => [key, consume[key]] as const),
    ] as const)
      if (typeof text === "string") questions[key] = compileExpression(text, locals);
    return questions;
  }

  /** Of gRPC: where the server is, and who we are to it. */
  #service(value: Json, locals: Locals): Template {
    if (!isJsonObject(value)) return compileTemplate(value, locals);
    return objectTemplate(value, (part, key) => compileTemplate(key === "authentication" ? this.#authentication(part) : part, locals));
  }

  /** The way to an MCP server: over HTTP it has an endpoint. */
  #transport(value: Json, locals: Locals): Template {
    if (!isJsonObject(value)) return compileTemplate(value, locals);
    return objectTemplate(value, (part, key) => (key === "http" ? this.#resource(part, locals) : compileTemplate(part, locals)));
  }

  /** Its expressions over messages go to the connector as their text: it asks them by name, and evaluates nothing. */
  #subscription(value: Json, locals: Locals): Template {
    if (!isJsonObject(value)) return compileTemplate(value, locals);
    // What is done with each message is the engine's.
    const { foreach: _, ...sent } = value;
    return objectTemplate(sent, (part, key) => {
      if (key !== "consume" || !isJsonObject(part)) return { kind: "literal", value: part };
      return objectTemplate(part, (item, name) =>
        CONSUME_QUESTIONS.some((question) => question === name) ? { kind: "literal", value: item } : compileTemplate(item, locals),
      );
    });
  }

  runArguments(run: JsonObject, locals: Locals): Template {
    return objectTemplate(run, (value, key) => {
      if (key !== "script" || !isJsonObject(value)) return compileTemplate(value, locals);
      return objectTemplate(value, (part, partKey) => {
        // A script's text is code, never an expression, even when it happens to look like one.
        if (partKey === "code" && typeof part === "string") return { kind: "literal", value: part };
        return partKey === "source" ? this.#resource(part, locals) : compileTemplate(part, locals);
      });
    });
  }

  #resource(value: Json, locals: Locals): Template {
    if (!isJsonObject(value)) return compileTemplate(value, locals);
    return objectTemplate(value, (part, key) => (key === "endpoint" ? this.#endpoint(part, locals) : compileTemplate(part, locals)));
  }

  #endpoint(value: Json, locals: Locals): Template {
    if (typeof value === "string") return compileUri(value, locals);
    if (!isJsonObject(value)) return compileTemplate(value, locals);
    return objectTemplate(value, (part, key) => {
      if (key === "uri" && typeof part === "string") return compileUri(part, locals);
      if (key === "authentication") return compileTemplate(this.#authentication(part), locals);
      return compileTemplate(part, locals);
    });
  }

  /** `{use: name}` of a policy becomes the policy; `{basic: {use: secret}}` stays a reference to a secret, read at dispatch. */
  #authentication(value: Json): Json {
    if (!isJsonObject(value)) return value;
    const policies = this.#use["authentications"];
    const name = value["use"];
    const policy = typeof name === "string" && isJsonObject(policies) && Object.hasOwn(policies, name) ? (policies[name] as Json) : value;
    return policy;
  }
}
