import { isJsonObject, type Json, type JsonObject } from "@tutti/model";

/**
 * An interpreter of the generated documents that shares nothing with the engine: recursion over the text, no records, no time, no jq. It knows
 * the few expressions of the generator by their text. Where the outcome depends on time, chance or other runs it says so.
 */

/** What a run must come to. */
export type Prediction =
  | {
      readonly kind: "completed" | "faulted";
      /** With `ANYTHING` in places that differ from run to run; undefined for a fault. */
      readonly output: Json | undefined;
      /** How many effects each function has had; undefined when that is open. */
      readonly effects: ReadonlyMap<string, number> | undefined;
    }
  | { readonly kind: "open"; readonly why: string };

/** Stands in an output for what is not the same in every run: ids, times, the events of others. */
export const ANYTHING: Json = "«anything»";

class Open extends Error {}

/** An error of the workflow; which one cannot be seen by any generated document. */
class Fault extends Error {}

interface Ended {
  readonly output: Json;
  readonly flow: string;
}

const FAILING = 'error("chosen")';
const EVENT_DATA = 1;
const STEPS_MAX = 10_000;
/** What the interpreter knows: the generator may know more. */
const DOCUMENT_KEYS: ReadonlySet<string> = new Set(["document", "use", "do"]);
const USE_KEYS: ReadonlySet<string> = new Set(["functions"]);
const TASK_KEYS: ReadonlySet<string> = new Set(
  "call with set switch raise wait emit for while do fork try catch listen run await if output export then metadata".split(" "),
);

/** Predicts a run of `document` with `input`; `children` are the documents that it may run, by name. */
export function predict(document: JsonObject, input: Json, children: ReadonlyMap<string, JsonObject>): Prediction {
  const interpreter = new Interpreter(document, input, children);
  try {
    const output = interpreter.run();
    return { kind: "completed", output, effects: interpreter.countedEffects };
  } catch (error) {
    if (error instanceof Fault) return { kind: "faulted", output: undefined, effects: interpreter.countedEffects };
    if (error instanceof Open) return { kind: "open", why: error.message };
    throw error;
  }
}

class Interpreter {
  readonly #document: JsonObject;
  readonly #input: Json;
  readonly #children: ReadonlyMap<string, JsonObject>;
  readonly #effects = new Map<string, number>();
  #areEffectsKnown = true;
  #context: Json | undefined;
  #steps = 0;
  /** How what was done so far is undone. */
  readonly #undos: Json[] = [];
  #undone = 0;

  constructor(document: JsonObject, input: Json, children: ReadonlyMap<string, JsonObject>) {
    this.#document = document;
    this.#input = input;
    this.#children = children;
    this.#context = input;
  }

  get countedEffects(): ReadonlyMap<string, number> | undefined {
    return this.#areEffectsKnown ? this.#effects : undefined;
  }

  run(): Json {
    const head = member(this.#document, "document");
    const operations = member(member(head, "metadata"), "tutti");
    if ("concurrency" in operations) throw new Open("the run needs a slot");
    if ("timeout" in this.#document) throw new Open("the run has a timeout");
    refuseUnknown(this.#document, DOCUMENT_KEYS);
    refuseUnknown(member(this.#document, "use"), USE_KEYS);
    return this.#scope(operations["saga"], () => this.#list(tasksOf(this.#document["do"]), this.#input)).output;
  }

  /** What a scope that is backed out did is undone when it faults, what was done last first; then the fault goes on. */
  #scope(saga: Json | undefined, work: () => Ended): Ended {
    const before = this.#undos.length;
    try {
      return work();
    } catch (error) {
      if (!(error instanceof Fault) || !isJsonObject(saga)) throw error;
      const outcomes = saga["on"];
      if (Array.isArray(outcomes) && !outcomes.includes("faulted")) throw error;
      for (const undo of this.#undos.splice(before).toReversed()) this.#undo(undo);
      throw error;
    }
  }

  #undo(undo: Json): void {
    this.#undone += 1;
    const context = this.#context;
    try {
      if (typeof undo === "string") this.#effect("x.unsafe:1", null);
      else this.#list(tasksOf(undo), null);
    } catch (error) {
      if (error instanceof Fault) throw new Open("an undo fails");
      throw error;
    }
    this.#context = context;
  }

  #list(tasks: readonly (readonly [string, JsonObject])[], input: Json): Ended {
    let data = input;
    for (let index = 0; index < tasks.length;) {
      if (++this.#steps > STEPS_MAX) throw new Open("too many steps");
      const [, body] = tasks[index] as readonly [string, JsonObject];
      const { output, flow } = this.#task(body, data);
      data = output;
      if (flow === "exit") break;
      if (flow === "end") return { output, flow };
      const target = flow === "continue" ? index + 1 : tasks.findIndex(([name]) => name === flow);
      index = target;
    }
    return { output: data, flow: "continue" };
  }

  #task(body: JsonObject, input: Json): Ended {
    const condition = body["if"];
    if (condition === "false") return { output: input, flow: "continue" };
    if (condition !== undefined) throw new Fault("if");
    if ("timeout" in body) throw new Open("a task has a timeout");
    refuseUnknown(body, TASK_KEYS);
    const metadata = member(member(body, "metadata"), "tutti");
    if ("concurrency" in metadata) throw new Open("a task needs a slot");
    const { ended, output } = this.#scoped(metadata["saga"], body, input);
    if (ended.flow === "end") return ended;
    if (metadata["compensate"] !== undefined) this.#undos.push(metadata["compensate"]);
    if ("export" in body) this.#context = { rounds: this.#rounds() + 1 };
    const then = body["then"];
    return { output, flow: typeof then === "string" ? then : ended.flow };
  }

  /** A scope whose own output fails is backed out as well; so is a task, which has done its work by then. */
  #scoped(saga: Json | undefined, body: JsonObject, input: Json): { readonly ended: Ended; readonly output: Json } {
    let output: Json = null;
    const ended = this.#scope(saga, () => {
      const inner = this.#kind(body, input);
      try {
        output = inner.flow === "end" ? inner.output : transformed(body["output"], inner.output);
      } catch (error) {
        const undo = member(member(body, "metadata"), "tutti")["compensate"];
        if (error instanceof Fault && undo !== undefined) this.#undos.push(undo);
        throw error;
      }
      return inner;
    });
    return { ended, output };
  }

  #kind(body: JsonObject, input: Json): Ended {
    const next = (output: Json): Ended => ({ output, flow: "continue" });
    if ("call" in body) return next(this.#call(body, input));
    if ("set" in body) return next(this.#set(body["set"] ?? null, input));
    if ("switch" in body) return { output: input, flow: this.#switch(body["switch"] ?? []) };
    if ("raise" in body) throw new Fault("raised");
    if ("wait" in body) return next(input);
    if ("emit" in body) return next(ANYTHING);
    if ("for" in body) return this.#loop(body, input);
    if ("fork" in body) return this.#fork(member(body, "fork"), input);
    if ("try" in body) return this.#try(body, input);
    if ("do" in body) return this.#list(tasksOf(body["do"]), input);
    if ("listen" in body) return next(listened(body));
    if ("run" in body) return next(this.#child(member(member(body, "run"), "workflow"), body, input));
    throw new Open(`a task that is not known: ${Object.keys(body).join(", ")}`);
  }

  #call(body: JsonObject, input: Json): Json {
    const name = textOf(body["call"]);
    if (name === "helper") return this.#effect("x.unsafe:1", { from: input });
    const called = name.replace("@t", "");
    if (called === "x.read:1") return { read: input };
    return this.#effect(called, input);
  }

  #effect(name: string, value: Json): Json {
    this.#effects.set(name, (this.#effects.get(name) ?? 0) + 1);
    return { made: name, of: value };
  }

  #set(template: Json, input: Json): Json {
    const [key, value] = Object.entries(template as JsonObject)[0] ?? ["", null];
    if (value === `\${ ${FAILING} }`) throw new Fault("set");
    return { [key]: value === "${ . }" ? input : value };
  }

  #switch(cases: Json): string {
    for (const one of cases as readonly JsonObject[]) {
      const [, chosen] = Object.entries(one)[0] ?? [];
      const { when, then } = chosen as JsonObject;
      if (when === undefined || this.#rounds() < Number(/< (\d+)/.exec(textOf(when))?.[1])) return textOf(then ?? "continue");
    }
    return "continue";
  }

  #rounds(): number {
    if (this.#context === undefined) throw new Open("branches have changed the context");
    const rounds = isJsonObject(this.#context) ? this.#context["rounds"] : undefined;
    return typeof rounds === "number" ? rounds : 0;
  }

  #loop(body: JsonObject, input: Json): Ended {
    const items = JSON.parse(textOf(member(body, "for")["in"])) as readonly Json[];
    const condition = body["while"];
    let data = input;
    for (let index = 0; index < items.length; index += 1) {
      if (condition === FAILING) throw new Fault("while");
      if (condition !== undefined && index >= 2) break;
      const { output, flow } = this.#list(tasksOf(body["do"]), data);
      if (flow === "end") return { output, flow };
      data = output;
    }
    return { output: data, flow: "continue" };
  }

  #fork(fork: JsonObject, input: Json): Ended {
    const branches = tasksOf(fork["branches"]);
    if (fork["compete"] === true && branches.length > 1) throw new Open("branches compete");
    const before = this.#context;
    const outputs: Json[] = [];
    let faults = 0;
    let contexts = 0;
    for (const [, branch] of branches) {
      this.#context = before;
      try {
        const { output, flow } = this.#task(branch, input);
        if (flow === "end" && branches.length > 1) throw new Open("a branch ends the run");
        if (flow === "end") return { output, flow };
        outputs.push(output);
      } catch (error) {
        if (!(error instanceof Fault)) throw error;
        faults += 1;
      }
      if (this.#context !== before) contexts += 1;
    }
    this.#context = contexts === 0 ? before : undefined;
    if (faults > 0) {
      // How far the other branches have come by then is a matter of time.
      if (branches.length > 1) this.#areEffectsKnown = false;
      throw new Fault("a branch");
    }
    return { output: fork["compete"] === true ? (outputs[0] ?? null) : outputs, flow: "continue" };
  }

  #try(body: JsonObject, input: Json): Ended {
    const clause = member(body, "catch");
    const before = this.#context;
    const undone = this.#undone;
    try {
      return this.#list(tasksOf(body["try"]), input);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      if (clause["retry"] !== undefined && this.#undone > undone) throw new Open("what was undone is done again by a repetition");
      // A repetition finds the effects of the first pass and fails the same way; only the context may go further.
      if (clause["retry"] !== undefined && this.#context !== before) this.#context = undefined;
      if (clause["retry"] !== undefined && clause["do"] === undefined) throw error;
    }
    if (clause["do"] === undefined) return { output: input, flow: "continue" };
    return this.#list(tasksOf(clause["do"]), input);
  }

  #child(workflow: JsonObject, body: JsonObject, input: Json): Json {
    if (member(body, "run")["await"] === false) return input;
    const document = this.#children.get(textOf(workflow["name"]));
    if (document === undefined) throw new Fault("no such workflow");
    const prediction = predict(document, input, this.#children);
    if (prediction.kind === "open") throw new Open(`the child: ${prediction.why}`);
    if (prediction.kind === "faulted" || prediction.output === undefined) throw new Fault("the child");
    return prediction.output;
  }
}

function refuseUnknown(object: JsonObject, known: ReadonlySet<string>): void {
  for (const key of Object.keys(object)) if (!known.has(key)) throw new Open(`the oracle does not know ${key}`);
}

/** What a listening task gives when events of the types `a` and `b` come again and again. */
function listened(body: JsonObject): Json {
  if ("foreach" in body) throw new Open("it depends on how many events come");
  const to = member(member(body, "listen"), "to");
  if (to["until"] !== undefined) return ANYTHING;
  if ("one" in to) return [EVENT_DATA];
  if ("all" in to) return (to["all"] as readonly Json[]).map(() => EVENT_DATA);
  return ANYTHING;
}

function transformed(output: Json | undefined, raw: Json): Json {
  const as = isJsonObject(output ?? null) ? (output as JsonObject)["as"] : undefined;
  if (as === FAILING) throw new Fault("output");
  return as === "{ out: . }" ? { out: raw } : raw;
}

function tasksOf(list: Json | undefined): readonly (readonly [string, JsonObject])[] {
  return ((list ?? []) as readonly JsonObject[]).map((item) => Object.entries(item)[0] as [string, JsonObject]);
}

function member(object: JsonObject, key: string): JsonObject {
  const value = object[key];
  return value !== undefined && isJsonObject(value) ? value : {};
}

/** A member that the generator writes as text. */
export function textOf(value: Json | undefined): string {
  return typeof value === "string" ? value : "";
}

/** Whether a value is as predicted. */
export function isAsPredicted(value: Json, predicted: Json): boolean {
  if (predicted === ANYTHING) return true;
  if (Array.isArray(predicted) || Array.isArray(value)) {
    if (!Array.isArray(predicted) || !Array.isArray(value) || predicted.length !== value.length) return false;
    return (predicted as readonly Json[]).every((item, index) => isAsPredicted((value as readonly Json[])[index] ?? null, item));
  }
  if (isJsonObject(predicted) && isJsonObject(value)) {
    const keys = Object.keys(predicted);
    if (keys.length !== Object.keys(value).length) return false;
    return keys.every((key) => key in value && isAsPredicted(value[key] ?? null, predicted[key] ?? null));
  }
  return predicted === value;
}
