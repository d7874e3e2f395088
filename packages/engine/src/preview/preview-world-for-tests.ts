import { isJsonObject, type Json, type JsonObject, partlyUnknown, unknownIn, unknownOf, unknownValue } from "@tutti/model";
import { explore, type Outlook } from "./explore.ts";
import type { CallAhead, CallForeseen, World } from "./walk.ts";
import { TestRun, type TestFunction } from "../test-run.ts";
import { CURRENT_FLAGS } from "../flags.ts";

const WORKFLOW = { namespace: "test", name: "case", version: "1.0.0", digest: "" };

/**
 * A world of things for tests: `thing.make` makes one and gives its id and an address that nobody knows before; `thing.mend` changes one;
 * `thing.look` reads; `thing.shout` says nothing of itself before.
 */
export class TestWorld implements World {
  readonly things = new Set<string>();
  readonly asked: string[] = [];
  children: Readonly<Record<string, TestRun>> = {};

  async foresee({ command, isUndisturbed }: CallAhead): Promise<CallForeseen> {
    const input = command.renderInput({ password: "***" });
    this.asked.push(command.path);
    const output = unknownValue(`the output of ${command.path}`);
    const effect = { resource: "thing", isReversible: true };
    if (command.effect === "read") {
      if (!isUndisturbed || unknownIn(input) !== undefined)
        return {
          input,
          effects: [],
          outcome: { kind: "completed", output },
          wasRead: false,
          reason: "something before it may change what it finds",
        };
      return { input, effects: [], outcome: { kind: "completed", output: { list: [...this.things] } }, wasRead: true };
    }
    const id = input["id"];
    if (command.function.startsWith("thing.shout") || typeof id !== "string")
      return { input, effects: undefined, outcome: { kind: "completed", output }, wasRead: false };
    const isNothing = command.function.startsWith("thing.mend") && this.things.has(id);
    return {
      input,
      effects: isNothing ? [] : [{ kind: command.function.startsWith("thing.make") ? "create" : "change", name: id, ...effect }],
      outcome: { kind: "completed", output: partlyUnknown({ id }, `the output of ${command.path}`) },
      wasRead: false,
    };
  }

  async child(workflow: { readonly name: string }) {
    const child = this.children[workflow.name];
    return child === undefined ? undefined : { context: child.context, workflow: { ...WORKFLOW, name: workflow.name } };
  }
}

export const FUNCTIONS: Readonly<Record<string, TestFunction>> = {
  "thing.make:1@t": (input) => ({ id: input["id"] ?? null, address: "10.0.0.7" }),
  "thing.mend:1@t": (input) => ({ id: input["id"] ?? null }),
  "thing.look:1@t": () => ({ list: [] }),
  "thing.shout:1@t": () => "ok",
};

/** A document with `thing` functions, as a run and as an outlook under the same run id. */
export async function outlook(
  document: string,
  options: { readonly input?: Json; readonly world?: TestWorld; readonly functions?: Readonly<Record<string, TestFunction>> } = {},
): Promise<{ readonly outlook: Outlook; readonly run: TestRun; readonly world: TestWorld }> {
  const { input = null, world = new TestWorld() } = options;
  const run = new TestRun({
    document,
    input,
    functions: { ...FUNCTIONS, ...options.functions },
    effects: { "thing.look:1@t": "read", "thing.shout:1@t": "unsafe" },
  });
  const { runId, tenant } = run.state;
  const found = await explore({ runId, tenant, workflow: WORKFLOW, context: run.context, input, flags: CURRENT_FLAGS }, world);
  return { outlook: found, run, world };
}

/** What is unknown, in words, for comparisons. */
export function said(value: Json): Json {
  const unknown = unknownOf(value);
  if (unknown !== undefined) return `unknown: ${unknown}`;
  if (Array.isArray(value)) return value.map((item: Json) => said(item));
  return isJsonObject(value) ? (Object.fromEntries(Object.entries(value).map(([key, part]) => [key, said(part)])) as JsonObject) : value;
}
