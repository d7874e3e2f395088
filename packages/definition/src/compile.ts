import { AppError, assert, DEPTH_MAX, durationMs, type EffectClass, isJsonObject, type Json, type JsonObject } from "@tutti/model";
import { CallCompiler } from "./compile-call.ts";
import { compileStrategy } from "./compile-events.ts";
import { flow, member, type Place, text, tooLarge } from "./compile-place.ts";
import { compileConcurrency, compileRetention, compileRetry, compileSaga } from "./compile-policies.ts";
import { compileDuration, compileExpression, compileFlowTemplate, compileTemplate, type Locals } from "./compile-template.ts";
import { joinPointer } from "./json-pointer.ts";
import type {
  CatchClause,
  Compensation,
  Duration,
  EffectOverride,
  ForeachClause,
  InputFlow,
  OutputFlow,
  TaskBase,
  TaskExtension,
  TaskList,
  TaskNode,
  Unsupported,
  WorkflowProgram,
} from "./program.ts";
import { endpointUri, type PinnedReference, referenceKey } from "./external/external-reference.ts";
import { extensionsOf } from "./extensions.ts";
import { outputsRead } from "./runtime-outputs.ts";
import { compileSchemaCheck } from "./schema-check.ts";
import { compileSchedule } from "./schedule/schedule-plan.ts";
import { taskKeyOf } from "./schema/task.ts";

/** Tasks of a document with its functions put in at their calls; a bound on what a small text can unfold to. */
const NODES_MAX = 100_000;

/**
 * Compiles a document that the linter has accepted. Everything static is resolved here once: names to positions, references to `use`,
 * expressions to closures. Pure: the same document and references give the same program. A reference that is not among `references` makes
 * the program one that is refused at a start.
 *
 * @throws AppError `definition-invalid` when the document is too large or too deep with its functions and extensions in their places.
 */
export function compileWorkflow(document: JsonObject, references: readonly PinnedReference[] = []): WorkflowProgram {
  return new Compiler(document, references).compile();
}

class Compiler {
  readonly #document: JsonObject;
  /** What the text that is being compiled may refer to: the document's `use`, nothing in a function from outside. */
  #use: JsonObject;
  #calls: CallCompiler;
  /** The functions from outside that are being compiled, from the outermost to the innermost. */
  readonly #open: string[] = [];
  readonly #references: ReadonlyMap<string, PinnedReference>;
  readonly #nodes: TaskNode[] = [];
  readonly #unsupported: Unsupported[] = [];

  constructor(document: JsonObject, references: readonly PinnedReference[]) {
    this.#document = document;
    this.#references = new Map(references.map((reference) => [referenceKey(reference), reference]));
    this.#use = member(document, "use");
    this.#calls = this.#callCompiler(this.#use);
  }

  #callCompiler(use: JsonObject): CallCompiler {
    return new CallCompiler(use, (construct, pointer) => this.#refuse(construct, pointer));
  }

  compile(): WorkflowProgram {
    const head = member(this.#document, "document");
    this.#refuseWholeDocument();
    const root = this.#list(this.#document["do"], { path: "/do", pointer: "/do", locals: [], depth: 0, extended: "yes" });
    const secrets = this.#use["secrets"];
    const saga = compileSaga(member(member(head, "metadata"), "tutti")["saga"]);
    return {
      document: this.#document,
      namespace: text(head["namespace"]),
      name: text(head["name"]),
      version: text(head["version"]),
      retention: compileRetention(member(member(head, "metadata"), "tutti")["retention"]),
      nodes: this.#nodes,
      root,
      input: this.#inputFlow(this.#document["input"], []),
      output: this.#outputFlow(this.#document["output"], []),
      timeout: this.#timeout(this.#document["timeout"], []),
      secrets: Array.isArray(secrets) ? secrets.filter((name): name is string => typeof name === "string") : [],
      concurrency: compileConcurrency(member(member(head, "metadata"), "tutti"), []),
      saga,
      hasSagas: saga !== undefined || this.#nodes.some((node) => node.kind === "do" && node.saga !== undefined),
      schedule: compileSchedule(this.#document),
      outputs: outputsRead(this.#document),
      unsupported: this.#unsupported,
    };
  }

  /** Parts of the language that belong to a whole document and are not run yet. */
  #refuseWholeDocument(): void {
    const evaluate = member(this.#document, "evaluate");
    if (evaluate["language"] !== undefined && evaluate["language"] !== "jq")
      this.#refuse(`evaluate.language ${text(evaluate["language"])}`, "/evaluate/language");
    if (evaluate["mode"] === "loose") this.#refuse("evaluate.mode loose", "/evaluate/mode");
  }

  #refuse(construct: string, pointer: string): void {
    this.#unsupported.push({ construct, pointer });
  }

  #list(value: Json | undefined, place: Place): TaskList {
    const items = (Array.isArray(value) ? value : []).filter(isJsonObject);
    const names = items.map((item) => Object.keys(item)[0] ?? "");
    return items.map((item, position) => {
      const name = names[position] as string;
      return this.#task(item[name] as Json, name, names, {
        ...place,
        path: `${place.path}/${name}`,
        pointer: joinPointer(place.pointer, position, name),
        depth: place.depth + 1,
      });
    });
  }

  #task(value: Json, name: string, siblings: readonly string[], place: Place): number {
    assert(isJsonObject(value), `the linter has checked the task ${place.pointer}`);
    if (place.depth > DEPTH_MAX) throw tooLarge(`tasks are nested more than ${DEPTH_MAX} deep`, place);
    const index = this.#nodes.length;
    if (index >= NODES_MAX) throw tooLarge(`there are more than ${NODES_MAX} tasks`, place);
    // The place is taken now, so that a task's number is its place in the document; the node follows when its inner tasks are known.
    this.#nodes.push(undefined as unknown as TaskNode);
    const { locals } = place;
    const operations = member(member(value, "metadata"), "tutti");
    const base: TaskBase = {
      index,
      name,
      path: place.path,
      pointer: place.pointer,
      definition: value,
      if: typeof value["if"] === "string" ? compileExpression(value["if"], locals) : undefined,
      input: this.#inputFlow(value["input"], locals, place.pointer),
      output: this.#outputFlow(value["output"], locals, place.pointer),
      export: value["export"] === undefined ? undefined : this.#outputFlow(value["export"], locals, place.pointer),
      timeout: this.#timeout(value["timeout"], locals),
      then: flow(value["then"], siblings),
      concurrency: compileConcurrency(operations, locals),
      compensation: this.#compensation(operations["compensate"], place),
      extensions: this.#extensions(value, place),
      isExtension: place.extended === "itself",
    };
    this.#nodes[index] = this.#node(value, base, siblings, place, operations);
    return index;
  }

  /** The extensions of a task, with tasks of their own: each has the task's path before its own, as a function has at its call. */
  #extensions(task: JsonObject, place: Place): readonly TaskExtension[] {
    if (place.extended !== "yes") return [];
    return extensionsOf(member(this.#document, "use"), taskKeyOf(task)).map(({ name, pointer, extension }) => {
      const list = (key: "before" | "after"): TaskList =>
        this.#list(extension[key], {
          path: `${place.path}/${key}/${name}`,
          pointer: `${pointer}/${key}`,
          // Its text stands elsewhere in the document and knows nothing of loops and catches around the task.
          locals: [],
          depth: place.depth + 1,
          extended: "itself",
        });
      const when = extension["when"];
      return {
        name,
        pointer,
        when: typeof when === "string" ? compileExpression(when, []) : undefined,
        before: list("before"),
        after: list("after"),
      };
    });
  }

  #node(value: JsonObject, base: TaskBase, siblings: readonly string[], place: Place, operations: JsonObject): TaskNode {
    const { locals } = place;
    const inner = (key: string, more: Locals = []): Place => ({
      ...place,
      path: `${place.path}/${key}`,
      pointer: `${place.pointer}/${key}`,
      locals: [...locals, ...more],
    });
    if (value["call"] !== undefined) return this.#call(value, base, place, operations);
    if (value["run"] !== undefined) return this.#run(member(value, "run"), base, place, operations);
    if (value["set"] !== undefined) {
      const set = value["set"] as Json;
      return { ...base, kind: "set", value: compileFlowTemplate(set, locals) };
    }
    if (Array.isArray(value["switch"])) {
      const cases = value["switch"].filter(isJsonObject).map((item) => {
        const name = Object.keys(item)[0] ?? "";
        const body = member(item, name);
        return {
          name,
          when: typeof body["when"] === "string" ? compileExpression(body["when"], locals) : undefined,
          then: flow(body["then"], siblings),
        };
      });
      return { ...base, kind: "switch", cases };
    }
    if (value["for"] !== undefined) {
      const loop = member(value, "for");
      const names = [text(loop["each"], "item"), text(loop["at"], "index")];
      return {
        ...base,
        kind: "for",
        in: typeof loop["in"] === "string" ? compileFlowTemplate(loop["in"], locals) : compileTemplate(loop["in"] ?? [], locals),
        while: typeof value["while"] === "string" ? compileExpression(value["while"], [...locals, ...names]) : undefined,
        body: this.#list(value["do"], inner("do", names)),
      };
    }
    if (value["fork"] !== undefined) {
      const fork = member(value, "fork");
      const branches = inner("fork/branches");
      // Branches are no sequence: each stands alone, so that a `then` cannot reach from one into another.
      const items = (Array.isArray(fork["branches"]) ? fork["branches"] : []).filter(isJsonObject);
      const list = items.map((item, position) => {
        const name = Object.keys(item)[0] ?? "";
        return this.#task(item[name] as Json, name, [], {
          ...branches,
          path: `${branches.path}/${name}`,
          pointer: joinPointer(branches.pointer, position, name),
          depth: place.depth + 1,
        });
      });
      return { ...base, kind: "fork", branches: list, compete: fork["compete"] === true };
    }
    if (value["try"] !== undefined)
      return {
        ...base,
        kind: "try",
        body: this.#list(value["try"], inner("try")),
        catch: this.#catch(member(value, "catch"), siblings, place),
      };
    if (value["raise"] !== undefined) {
      const error = member(value, "raise")["error"];
      const resolved = typeof error === "string" ? (member(this.#use, "errors")[error] ?? {}) : (error ?? {});
      return { ...base, kind: "raise", error: compileTemplate(resolved, locals) };
    }
    if (value["wait"] !== undefined) return { ...base, kind: "wait", duration: compileDuration(value["wait"] as Json, locals) };
    if (value["emit"] !== undefined)
      return { ...base, kind: "emit", event: compileTemplate(member(member(value, "emit"), "event")["with"] ?? {}, locals) };
    if (value["listen"] !== undefined) {
      const listen = member(value, "listen");
      return {
        ...base,
        kind: "listen",
        to: compileStrategy(member(listen, "to"), locals),
        read: listen["read"] === "envelope" || listen["read"] === "raw" ? listen["read"] : "data",
        foreach: this.#foreach(value["foreach"], { ...place, pointer: `${place.pointer}/foreach` }),
      };
    }
    assert(Array.isArray(value["do"]), `the linter has checked the kind of task ${place.pointer}`);
    return { ...base, kind: "do", saga: compileSaga(operations["saga"]), body: this.#list(value["do"], inner("do")) };
  }

  /** What is done with each event or message. `place` has the path of the task and the pointer of the clause. */
  #foreach(clause: Json | undefined, place: Place): ForeachClause | undefined {
    if (!isJsonObject(clause)) return undefined;
    const locals = [...place.locals, text(clause["item"], "item"), text(clause["at"], "index")];
    const inside = { ...place, locals, path: `${place.path}/foreach/do`, pointer: `${place.pointer}/do` };
    return {
      body: Array.isArray(clause["do"]) ? this.#list(clause["do"], inside) : undefined,
      output: this.#outputFlow(clause["output"], locals),
      export: clause["export"] === undefined ? undefined : this.#outputFlow(clause["export"], locals),
    };
  }

  #call(value: JsonObject, base: TaskBase, place: Place, operations: JsonObject): TaskNode {
    const name = text(value["call"]);
    const functions = member(this.#use, "functions");
    const given = value["with"];
    const outside = Object.hasOwn(functions, name) ? undefined : this.#references.get(referenceKey({ kind: "function", name }));
    if (outside !== undefined) {
      const body = this.#outside(outside, () =>
        this.#task(outside.value, name, [], {
          path: `${place.path}/call/${name.replaceAll("/", "~1")}`,
          pointer: outside.source,
          locals: [],
          depth: place.depth + 1,
          extended: place.extended,
        }),
      );
      return { ...base, kind: "function", arguments: given === undefined ? undefined : compileTemplate(given, place.locals), body: [body] };
    }
    if (Object.hasOwn(functions, name)) {
      const key = name.replaceAll("/", "~1");
      const body = this.#task(functions[name] as Json, name, [], {
        path: `${place.path}/call/${key}`,
        pointer: joinPointer("/use/functions", name),
        locals: [],
        depth: place.depth + 1,
        extended: place.extended,
      });
      return { ...base, kind: "function", arguments: given === undefined ? undefined : compileTemplate(given, place.locals), body: [body] };
    }
    return {
      ...base,
      ...(Object.hasOwn(operations, "compensate")
        ? {}
        : { compensation: this.#undoOfConnector(name, isJsonObject(given) ? given : {}, place) }),
      kind: "call",
      function: name,
      arguments: this.#calls.callArguments(name, isJsonObject(given) ? given : {}, place.locals, place.pointer),
      questions: this.#calls.questions(name, isJsonObject(given) ? given : {}, place.locals),
      effect: this.#effect(operations, place),
      idempotencyKey:
        typeof operations["idempotencyKey"] === "string" ? compileExpression(operations["idempotencyKey"], place.locals) : undefined,
      foreach:
        name === "asyncapi"
          ? this.#foreach(member(member(value, "with"), "subscription")["foreach"], {
              ...place,
              pointer: `${place.pointer}/with/subscription/foreach`,
            })
          : undefined,
    };
  }

  /** Compiles a function from outside: nothing of the document's `use` is known to it. */
  #outside<Result>({ name, source }: PinnedReference, compile: () => Result): Result {
    if (this.#open.includes(source))
      throw new AppError("reference-invalid", `The function ${name} calls itself: ${[...this.#open, source].join(" → ")}.`);
    const [use, calls] = [this.#use, this.#calls];
    this.#open.push(source);
    this.#use = {};
    this.#calls = this.#callCompiler(this.#use);
    try {
      return compile();
    } finally {
      this.#open.pop();
      this.#use = use;
      this.#calls = calls;
    }
  }

  /** The script of a function from outside has come with it. */
  #withScript(run: JsonObject): JsonObject {
    const script = member(run, "script");
    const name = endpointUri(member(script, "source")["endpoint"]);
    const pinned = name === undefined ? undefined : this.#references.get(referenceKey({ kind: "script", name }));
    if (this.#open.length === 0 || pinned === undefined) return run;
    const { source: _, ...rest } = script;
    return { ...run, script: { ...rest, code: pinned.value } };
  }

  #run(given: JsonObject, base: TaskBase, place: Place, operations: JsonObject): TaskNode {
    const run = this.#withScript(given);
    if (run["workflow"] !== undefined) {
      const workflow = member(run, "workflow");
      return {
        ...base,
        kind: "run-workflow",
        workflow: { namespace: text(workflow["namespace"]), name: text(workflow["name"]), version: text(workflow["version"], "latest") },
        arguments: workflow["input"] === undefined ? undefined : compileTemplate(workflow["input"], place.locals),
        await: run["await"] !== false,
      };
    }
    const kind = run["script"] !== undefined ? "script" : run["shell"] !== undefined ? "shell" : "container";
    return {
      ...base,
      kind: "call",
      function: `run.${kind}`,
      arguments: this.#calls.runArguments(run, place.locals),
      questions: undefined,
      effect: this.#effect(operations, place),
      idempotencyKey:
        typeof operations["idempotencyKey"] === "string" ? compileExpression(operations["idempotencyKey"], place.locals) : undefined,
      foreach: undefined,
    };
  }

  #effect(operations: JsonObject, place: Place): EffectOverride | undefined {
    const effect = operations["effect"];
    if (!isJsonObject(effect)) return undefined;
    const found = this.#aside(effect["find"], place, { path: "find", pointer: "effect/find" });
    const settle = effect["settle"];
    return {
      // The linter has checked the class against EFFECT_CLASSES.
      class: effect["class"] as EffectClass,
      find: found?.list,
      unique: effect["unique"] === true,
      settleMs: settle === undefined ? 0 : (durationMs(settle) ?? 0),
    };
  }

  #compensation(value: Json | undefined, place: Place): Compensation | undefined {
    const aside = this.#aside(value, place, { path: "compensate", pointer: "compensate" });
    // An empty list: nothing undoes the task.
    return aside === undefined || aside.list.length === 0 ? undefined : { ...aside, isOfConnector: false };
  }

  /** How the connector undoes the call, when its author says nothing else. */
  #undoOfConnector(name: string, given: JsonObject, place: Place): Compensation | undefined {
    const pinned = this.#references.get(referenceKey({ kind: "undo", name }));
    if (pinned === undefined || !isJsonObject(pinned.value)) return undefined;
    const { call } = pinned.value;
    // The undo works on the provider that the call worked on.
    const provider: JsonObject = Object.hasOwn(given, "provider") ? { provider: "${ .input.provider }" } : {};
    const body = this.#task({ call: call as Json, with: { ...member(pinned.value, "with"), ...provider } }, "undo", [], {
      path: `${place.path}/compensate/undo`,
      pointer: place.pointer,
      locals: [],
      depth: place.depth + 1,
      extended: "no",
    });
    return { list: [body], isFunction: true, isOfConnector: true };
  }

  /** Tasks under a task's `metadata.tutti` that are no part of the flow, or the function that is named instead. */
  #aside(
    value: Json | undefined,
    place: Place,
    at: { readonly path: string; readonly pointer: string },
  ): Omit<Compensation, "isOfConnector"> | undefined {
    const aside: Place = {
      ...place,
      path: `${place.path}/${at.path}`,
      pointer: `${place.pointer}/metadata/tutti/${at.pointer}`,
      extended: place.extended === "yes" ? "no" : place.extended,
    };
    if (Array.isArray(value)) return { list: this.#list(value, aside), isFunction: false };
    if (typeof value !== "string") return undefined;
    const body = this.#task(member(this.#use, "functions")[value] as Json, value, [], {
      ...aside,
      path: `${aside.path}/${value}`,
      pointer: joinPointer("/use/functions", value),
      locals: [],
      depth: place.depth + 1,
    });
    return { list: [body], isFunction: true };
  }

  #catch(clause: JsonObject, siblings: readonly string[], place: Place): CatchClause {
    const locals = [...place.locals, text(clause["as"], "error")];
    const filter = member(member(clause, "errors"), "with");
    const body = clause["do"];
    return {
      filter: {
        ...(typeof filter["type"] === "string" && { type: filter["type"] }),
        ...(typeof filter["status"] === "number" && { status: filter["status"] }),
        ...(typeof filter["instance"] === "string" && { instance: filter["instance"] }),
        ...(typeof filter["title"] === "string" && { title: filter["title"] }),
        ...(typeof filter["detail"] === "string" && { detail: filter["detail"] }),
      },
      when: typeof clause["when"] === "string" ? compileExpression(clause["when"], locals) : undefined,
      exceptWhen: typeof clause["exceptWhen"] === "string" ? compileExpression(clause["exceptWhen"], locals) : undefined,
      retry: compileRetry(clause["retry"], member(this.#use, "retries"), locals),
      body: Array.isArray(body)
        ? this.#list(body, { ...place, path: `${place.path}/catch/do`, pointer: `${place.pointer}/catch/do`, locals })
        : undefined,
      then: clause["then"] === undefined ? undefined : flow(clause["then"], siblings),
    };
  }

  #timeout(value: Json | undefined, locals: Locals): Duration | undefined {
    const timeout = typeof value === "string" ? member(this.#use, "timeouts")[value] : value;
    return isJsonObject(timeout) && timeout["after"] !== undefined ? compileDuration(timeout["after"], locals) : undefined;
  }

  #inputFlow(value: Json | undefined, locals: Locals, pointer = ""): InputFlow {
    const input = isJsonObject(value) ? value : {};
    return {
      schema: this.#schema(input["schema"], `${pointer}/input/schema`),
      from: input["from"] === undefined ? undefined : compileFlowTemplate(input["from"], locals),
    };
  }

  #outputFlow(value: Json | undefined, locals: Locals, pointer = ""): OutputFlow {
    const output = isJsonObject(value) ? value : {};
    return {
      schema: this.#schema(output["schema"], `${pointer}/output/schema`),
      as: output["as"] === undefined ? undefined : compileFlowTemplate(output["as"], locals),
    };
  }

  #schema(value: Json | undefined, pointer: string): InputFlow["schema"] {
    if (!isJsonObject(value)) return undefined;
    if (value["resource"] !== undefined) {
      const name = endpointUri(member(value, "resource")["endpoint"]);
      const pinned = name === undefined ? undefined : this.#references.get(referenceKey({ kind: "schema", name }));
      if (pinned !== undefined) return compileSchemaCheck(pinned.value);
      this.#refuse("schema.resource", pointer);
      return undefined;
    }
    return value["document"] === undefined ? undefined : compileSchemaCheck(value["document"]);
  }
}
