import type { Json } from "@tutti/model";
import type { Expect } from "./case-format.ts";

export interface Alteration {
  readonly what: string;
  readonly altered: Expect;
}

const OTHER: Json = "«another value»";

/** The expectation with one member changed, for each member that can be: a runner that sees must refuse every one of them. */
export function alterations(expect: Expect): readonly Alteration[] {
  const altered: Alteration[] = [];
  const add = (what: string, change: Partial<Expect>): void => void altered.push({ what, altered: { ...expect, ...change } });
  if (expect.refused !== undefined) return [{ what: "refused", altered: { ...expect, refused: "another-rule" } }];
  if (expect.startRefused !== undefined) return [{ what: "startRefused", altered: { ...expect, startRefused: "another-code" } }];
  const status = expect.status ?? (expect.error === undefined ? "completed" : "faulted");
  add("status", { status: status === "suspended" ? "cancelled" : "suspended" });
  if (expect.output !== undefined) add("output", { output: OTHER });
  if (expect.outputHas !== undefined) add("outputHas", { outputHas: { "«another»": OTHER } });
  for (const key of Object.keys(expect.error ?? {})) add(`error.${key}`, { error: { ...expect.error, [key]: OTHER } });
  if (expect.context !== undefined) add("context", { context: OTHER });
  if (expect.calls !== undefined) add("calls", { calls: [...expect.calls, { function: "echo.never" }] });
  expect.calls?.forEach((call, index) => {
    const change = call.http === undefined ? { function: "echo.never" } : { http: "GET https://never.test/" };
    add(`call ${index + 1}`, { calls: expect.calls?.with(index, { ...call, ...change }) });
  });
  if (expect.callsInAnyOrder !== undefined)
    add("callsInAnyOrder", { callsInAnyOrder: [...expect.callsInAnyOrder, { function: "echo.never" }] });
  for (const [name, count] of Object.entries(expect.effects ?? {}))
    add(`effects.${name}`, { effects: { ...expect.effects, [name]: count + 1 } });
  if (expect.emitted !== undefined) add("emitted", { emitted: [...expect.emitted, { type: "never" }] });
  if (expect.lasts !== undefined) add("lasts", { lasts: 1_234_567_891 });
  for (const name of Object.keys(expect.tasks ?? {})) add(`tasks.${name}`, { tasks: { ...expect.tasks, [name]: "«another»" } });
  if (expect.starts !== undefined) add("starts", { starts: [...expect.starts, 0] });
  if (expect.waits !== undefined) add("waits", { waits: [...expect.waits, { task: "never", for: "timer" }] });
  if (expect.doubts !== undefined) add("doubts", { doubts: [...expect.doubts, "/do/never"] });
  if (expect.records !== undefined) add("records", { records: [...expect.records, "never"] });
  for (const [name, run] of Object.entries(expect.runs ?? {})) {
    add(`runs.${name}`, { runs: { ...expect.runs, [name]: { ...run, status: run.status === "suspended" ? "cancelled" : "suspended" } } });
  }
  return altered;
}
