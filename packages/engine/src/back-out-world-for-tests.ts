import type { EffectClass, Json, JsonObject } from "@tutti/model";
import type { AttemptOutcome } from "./record.ts";
import { allTasksOf, answer, TestRun } from "./test-run.ts";

export const MAKE = "thing.make:1@t";
export const DROP = "thing.drop:1@t";
const FAIL = "thing.fail:1@t";

/** Things that are there, and what was done to them in order. `rule` may answer otherwise. */
export function world(
  document: string,
  options: {
    readonly rule?: (what: string, id: string, count: number) => Json | AttemptOutcome | undefined;
    readonly effects?: Readonly<Record<string, EffectClass>>;
    readonly finds?: ConstructorParameters<typeof TestRun>[0]["finds"];
    readonly input?: Json;
    readonly ignoresAborts?: boolean;
  } = {},
) {
  const there = new Set<string>();
  const done: string[] = [];
  const counts = new Map<string, number>();
  const act = (what: string) => (input: JsonObject) => {
    const id = input["id"] as string;
    const count = (counts.get(`${what} ${id}`) ?? 0) + 1;
    counts.set(`${what} ${id}`, count);
    const said = options.rule?.(what, id, count);
    if (said !== undefined) return said;
    done.push(`${what} ${id}`);
    if (what === "make") there.add(id);
    else there.delete(id);
    return { made: id };
  };
  const run = new TestRun({
    document,
    functions: { [MAKE]: act("make"), [DROP]: act("drop"), [FAIL]: () => answer(500, "broken") },
    ...(options.effects !== undefined && { effects: options.effects }),
    ...(options.finds !== undefined && { finds: options.finds }),
    ...(options.input !== undefined && { input: options.input }),
    ...(options.ignoresAborts !== undefined && { ignoresAborts: options.ignoresAborts }),
  });
  return { run, there, done, status: (path: string) => allTasksOf(run.view).findLast((task) => task.path === path)?.status };
}

/** A task that makes the thing and says how it is undone. */
export const make = (id: string, more = ""): string =>
  `{ call: '${MAKE}', with: { id: '${id}' }, metadata: { tutti: { compensate: [ { drop: { call: '${DROP}', with: { id: '\${ .output.made }' } } } ] } }${more} }`;
/** A saga with these tasks. */
export const scope = (tasks: string, saga = "{}", more = ""): string => `{ metadata: { tutti: { saga: ${saga} } }, do: [${tasks}]${more} }`;
/** A task that fails with the title "broken". */
export const fail = `{ call: '${FAIL}' }`;
