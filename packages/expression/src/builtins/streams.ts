import type { Json } from "@tutti/model";
import { index, slice } from "../access.ts";
import { type Code, type Env, many, single } from "../code.ts";
import { PathEditor } from "../path-editor.ts";
import { checkedPath } from "../paths.ts";
import type { Run } from "../run.ts";
import { describe, isArray } from "../values.ts";
import { arg, type BuiltinTable } from "./define.ts";
import { ITERATE } from "./iterate.ts";

/** Builtins over event streams (`tostream` is with the paths) and jq's SQL-style joins. */
export const STREAMS: BuiltinTable = {
  "fromstream/1": (call) => fromStream(arg(call, 0), call.at),
  "truncate_stream/1": (call) => truncateStream(arg(call, 0), call.at),
  "JOIN/2": ({ args: [table, key] }) =>
    single((run, input, env) => {
      const rows: Json[] = [];
      joinRows(run, { table: table as Code, rows: ITERATE, key: key as Code, input, env }, (row) => {
        rows.push(row);
        return false;
      });
      run.array(rows.length);
      return rows;
    }, Number.POSITIVE_INFINITY),
  "JOIN/3": ({ args: [table, rows, key] }) =>
    many((run, input, env, emit) => joinRows(run, { table: table as Code, rows: rows as Code, key: key as Code, input, env }, emit)),
  "JOIN/4": ({ args: [table, rows, key, join] }) =>
    many((run, input, env, emit) =>
      joinRows(run, { table: table as Code, rows: rows as Code, key: key as Code, input, env }, (row) =>
        (join as Code).each(run, row, env, emit),
      ),
    ),
};

interface Join {
  readonly table: Code;
  readonly rows: Code;
  readonly key: Code;
  readonly input: Json;
  readonly env: Env;
}

/** Pairs each row with the member of the table that its key names. */
function joinRows(run: Run, { table, rows, key, input, env }: Join, emit: (row: Json) => boolean): boolean {
  return table.each(run, input, env, (lookup) =>
    rows.each(run, input, env, (row) =>
      key.each(run, row, env, (name) => {
        run.spend(3);
        return emit([row, index(run, lookup, name)]);
      }),
    ),
  );
}

/** Puts values together again from events; a value is complete when its top level closes. */
function fromStream(events: Code, at: number): Code {
  return many((run, input, env, emit) => {
    let editor: PathEditor | undefined;
    const finish = (): boolean => {
      const value = editor?.value ?? null;
      editor = undefined;
      return emit(value);
    };
    return events.each(run, input, env, (event) => {
      run.at = at;
      if (!isArray(event) || !isArray(event[0] as Json)) throw run.raise(`${describe(run, event)} is not a stream event`);
      const path = checkedPath(run, event[0] as Json);
      if (event.length < 2) return path.length === 1 && finish();
      editor ??= new PathEditor(run, null);
      editor.update(path, () => event[1] as Json);
      return path.length === 0 && finish();
    });
  });
}

/** `1 | truncate_stream(…)` drops the first key of every path; events that have no more keys vanish. */
function truncateStream(events: Code, at: number): Code {
  return many((run, input, env, emit) =>
    events.each(run, null, env, (event) => {
      run.at = at;
      // As in jq, where no path is longer than these.
      if (typeof input === "string" || (typeof input === "object" && input !== null)) return false;
      if (typeof input !== "number") throw run.raise(`${describe(run, input)} is no number of keys to drop`);
      const path = isArray(event) ? event[0] : undefined;
      if (!isArray(event) || !isArray(path)) throw run.raise(`${describe(run, event)} is not a stream event`);
      run.spend(2);
      return path.length > input && emit([slice(run, path, input, null), ...event.slice(1)]);
    }),
  );
}
