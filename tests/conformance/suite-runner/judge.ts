import type { RunView } from "@tutti/engine";
import { isJsonObject, type Json, jsonEqual, sameErrorType } from "@tutti/model";
import type { Expect, ExpectedCall, ExpectedTask } from "./case-format.ts";
import { allTasks, names, type Observed } from "./play.ts";
import type { Delivery } from "./stand-ins.ts";

/** The suite's clock begins here. */
const BEGINNING_MS = Date.UTC(2026, 0, 1);

type ExpectedRun = NonNullable<Expect["runs"]>[string];

/** Whether the process died on the way: then records and moments may be more and later, never fewer and earlier. */
export interface JudgeOptions {
  readonly disturbed: boolean;
}

/** What does not hold of the expectation, one line each; empty when all does. */
export function judge(expect: Expect, seen: Observed, options: JudgeOptions): readonly string[] {
  const found: string[] = [...seen.problems];
  if (expect.refused !== undefined) {
    const holds = expect.refused === true ? seen.refusedBy.length > 0 : seen.refusedBy.includes(expect.refused);
    return holds ? found : [...found, differs("refused", expect.refused, seen.refusedBy)];
  }
  if (seen.refusedBy.length > 0) return [...found, `the document is refused: ${seen.refusedBy.join(", ")}`];
  if (expect.startRefused !== undefined || seen.startRefused !== undefined) {
    if (expect.startRefused !== seen.startRefused)
      found.push(differs("startRefused", expect.startRefused ?? null, seen.startRefused ?? null));
    return found;
  }
  const main = seen.runs.get("main");
  if (main === undefined) return [...found, "there is no run"];
  found.push(...judgeRun("", expect, main));
  for (const [name, wanted] of Object.entries(expect.runs ?? {})) {
    const run = seen.runs.get(name);
    if (run === undefined) found.push(`there is no run ${name}; there are ${[...seen.runs.keys()].join(", ")}`);
    else found.push(...judgeRun(`${name}: `, wanted, run));
  }
  if (expect.starts !== undefined) found.push(...judgeStarts(expect.starts, seen, options));
  if (expect.context !== undefined && !jsonEqual(main.context, expect.context))
    found.push(differs("context", expect.context, main.context));
  if (expect.calls !== undefined) found.push(...judgeCalls(expect.calls, seen.deliveries, options));
  if (expect.callsInAnyOrder !== undefined) found.push(...judgeSet(expect.callsInAnyOrder, seen.deliveries, options));
  for (const [name, count] of Object.entries(expect.effects ?? {})) {
    const times = seen.effects.get(name) ?? 0;
    if (times !== count) found.push(differs(`effects of ${name}`, count, times));
  }
  if (expect.emitted !== undefined) found.push(...judgeList("emitted", expect.emitted, seen.emitted as unknown as readonly Json[]));
  if (expect.lasts !== undefined)
    found.push(...judgeSpan("lasts", expect.lasts, (main.endedAtMs ?? main.atMs) - main.startedAtMs, options));
  for (const [name, wanted] of Object.entries(expect.tasks ?? {})) found.push(...judgeTask(name, wanted, main, options));
  if (expect.waits !== undefined) found.push(...judgeWaits(expect.waits, main));
  if (expect.doubts !== undefined) {
    const doubts = main.doubts.filter((doubt) => doubt.settled === undefined).map((doubt) => doubt.path);
    if (!jsonEqual(doubts, expect.doubts)) found.push(differs("doubts", expect.doubts, doubts));
  }
  if (expect.records !== undefined && !options.disturbed) {
    const records = seen.records.map((record) => record.type);
    if (!jsonEqual(records, expect.records)) found.push(differs("records", expect.records, records));
  }
  return found;
}

/** What an undisturbed and a disturbed play must have in common whatever the case expects: nothing is lost, nothing is done twice. */
export function compare(undisturbed: Observed, disturbed: Observed): readonly string[] {
  const found: string[] = [];
  const same = (what: string, of: (seen: Observed) => unknown): void => {
    const [left, right] = [of(undisturbed), of(disturbed)].map((value) => JSON.parse(JSON.stringify(value ?? null)) as Json) as [
      Json,
      Json,
    ];
    if (!jsonEqual(left, right)) found.push(`after restarts ${differs(what, left, right)}`);
  };
  same("the number of effects", (seen) => Object.fromEntries([...seen.effects].toSorted(([a], [b]) => (a < b ? -1 : 1))));
  same("runs", (seen) => [...seen.runs.keys()].toSorted());
  for (const name of undisturbed.runs.keys()) {
    same(`status of ${name}`, (seen) => seen.runs.get(name)?.status);
    same(`output of ${name}`, (seen) => withoutTime(seen.runs.get(name)?.output ?? null));
    same(`error of ${name}`, (seen) => seen.runs.get(name)?.error);
    same(`context of ${name}`, (seen) => withoutTime(seen.runs.get(name)?.context ?? null));
    same(`tasks of ${name}`, (seen) =>
      allTasks(seen.runs.get(name)?.tasks ?? [])
        .filter((task) => !task.path.includes("/find/"))
        .map((task) => `${task.path} ${task.status}`)
        .toSorted(),
    );
    same(`doubts of ${name}`, (seen) =>
      seen.runs
        .get(name)
        ?.doubts.map((doubt) => doubt.path)
        .toSorted(),
    );
  }
  same("emitted events", (seen) => seen.emitted.map(({ id, type, source }) => ({ id, type, source })));
  return found;
}

/** Moments may be later after a restart. */
function withoutTime(value: Json): Json {
  if (Array.isArray(value)) return value.map((item) => withoutTime(item as Json));
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(Object.keys(value).map((key) => [key, key === "time" ? "…" : withoutTime(value[key] as Json)]));
}

/** When the runs began, the earliest first. */
function judgeStarts(expect: NonNullable<Expect["starts"]>, seen: Observed, options: JudgeOptions): readonly string[] {
  const starts = [...seen.runs.values()].map((run) => run.startedAtMs - BEGINNING_MS).toSorted((left, right) => left - right);
  if (starts.length !== expect.length)
    return [`starts: expected ${expect.length} runs, there are ${starts.length}: ${starts.join(", ")} ms`];
  return expect.flatMap((wanted, index) => judgeSpan(`start ${index + 1}`, wanted, starts[index] ?? -1, options));
}

function judgeRun(prefix: string, expect: ExpectedRun, run: RunView): readonly string[] {
  const found: string[] = [];
  const status = expect.status ?? (expect.error === undefined ? "completed" : "faulted");
  if (run.status !== status)
    found.push(`${prefix}${differs("status", status, run.status)}${run.error === undefined ? "" : ` (${JSON.stringify(run.error)})`}`);
  const output = run.output === undefined ? "no output" : run.output;
  if (expect.output !== undefined && !jsonEqual(output, expect.output)) found.push(prefix + differs("output", expect.output, output));
  if (expect.outputHas !== undefined && !has(run.output ?? null, expect.outputHas))
    found.push(prefix + differs("outputHas", expect.outputHas, run.output ?? null));
  if (expect.error !== undefined) found.push(...judgeError(`${prefix}error`, expect.error, run.error));
  return found;
}

function judgeError(what: string, expect: NonNullable<Expect["error"]>, error: RunView["error"]): readonly string[] {
  const { type, ...rest } = expect;
  const holds =
    error !== undefined && (type === undefined || sameErrorType(type, error.type)) && has(error, JSON.parse(JSON.stringify(rest)) as Json);
  return holds ? [] : [differs(what, JSON.parse(JSON.stringify(expect)) as Json, error ?? null)];
}

function judgeCalls(expect: readonly ExpectedCall[], deliveries: readonly Delivery[], options: JudgeOptions): readonly string[] {
  const found: string[] = [];
  if (deliveries.length !== expect.length)
    found.push(`calls: expected ${expect.length}, there are ${deliveries.length}: ${deliveries.map(describe).join("; ")}`);
  expect.forEach((wanted, index) => {
    const delivery = deliveries[index];
    if (delivery !== undefined && !isCall(wanted, delivery, options))
      found.push(`call ${index + 1}: expected ${JSON.stringify(wanted)}, it is ${describe(delivery)}`);
  });
  return found;
}

function judgeSet(expect: readonly ExpectedCall[], deliveries: readonly Delivery[], options: JudgeOptions): readonly string[] {
  const left = [...deliveries];
  const found: string[] = [];
  for (const wanted of expect) {
    const index = left.findIndex((delivery) => isCall(wanted, delivery, options));
    if (index === -1) found.push(`calls: there is no ${JSON.stringify(wanted)}`);
    else left.splice(index, 1);
  }
  return left.length === 0 ? found : [...found, `calls: not expected: ${left.map(describe).join("; ")}`];
}

function isCall(wanted: ExpectedCall, { what, atMs }: Delivery, options: JudgeOptions): boolean {
  if (wanted.at !== undefined && judgeSpan("at", wanted.at, atMs, options).length > 0) return false;
  if (wanted.function !== undefined && (what.kind !== "function" || what.name !== wanted.function)) return false;
  if (wanted.with !== undefined && (what.kind !== "function" || !jsonEqual(what.with, wanted.with))) return false;
  if (wanted.http !== undefined && (what.kind !== "http" || what.line !== wanted.http)) return false;
  if (wanted.body !== undefined && (what.kind !== "http" || !jsonEqual(what.body, wanted.body))) return false;
  return Object.entries(wanted.headers ?? {}).every(([name, value]) => what.kind === "http" && (what.headers[name] ?? null) === value);
}

function describe({ what, atMs }: Delivery): string {
  const at = `at ${atMs} ms`;
  if (what.kind === "function") return `${what.name} ${JSON.stringify(what.with)} ${at}`;
  return `${what.line} ${JSON.stringify(what.headers)} ${JSON.stringify(what.body)} ${at}`;
}

function judgeTask(name: string, wanted: ExpectedTask, run: RunView, options: JudgeOptions): readonly string[] {
  const found = allTasks(run.tasks).filter((task) => names(name, task));
  const expect = typeof wanted === "string" ? { is: wanted } : wanted;
  const last = found.at(-1);
  const problems: string[] = [];
  if (expect.times !== undefined && found.length !== expect.times) problems.push(differs(`times of ${name}`, expect.times, found.length));
  if (expect.is !== undefined && (last?.status ?? "absent") !== expect.is)
    problems.push(differs(`task ${name}`, expect.is, last?.status ?? "absent"));
  if (expect.output !== undefined && !jsonEqual(last?.output ?? null, expect.output))
    problems.push(differs(`output of ${name}`, expect.output, last?.output ?? null));
  if (expect.error !== undefined) problems.push(...judgeError(`error of ${name}`, expect.error, last?.error));
  if (expect.lasts !== undefined) {
    if (last === undefined) problems.push(`there is no task ${name}`);
    else problems.push(...judgeSpan(`lasts of ${name}`, expect.lasts, (last.endedAtMs ?? run.atMs) - last.startedAtMs, options));
  }
  return problems;
}

function judgeWaits(expect: NonNullable<Expect["waits"]>, run: RunView): readonly string[] {
  const waits = run.waits.map(({ path, kind, untilMs }) => ({
    path,
    kind,
    until: untilMs === undefined ? undefined : untilMs - run.startedAtMs,
  }));
  const holds =
    waits.length === expect.length &&
    expect.every((wanted) =>
      waits.some(
        (wait) =>
          wait.path.endsWith(`/${wanted.task}`) && wait.kind === wanted.for && (wanted.until === undefined || wanted.until === wait.until),
      ),
    );
  return holds ? [] : [differs("waits", JSON.parse(JSON.stringify(expect)) as Json, JSON.parse(JSON.stringify(waits)) as Json)];
}

function judgeSpan(what: string, expect: NonNullable<Expect["lasts"]>, ms: number, options: JudgeOptions): readonly string[] {
  const { from, to } = typeof expect === "number" ? { from: expect, to: expect } : expect;
  return ms >= from && (ms <= to || options.disturbed)
    ? []
    : [`${what}: expected ${from === to ? from : `${from} to ${to}`} ms, it is ${ms} ms`];
}

function judgeList(what: string, expect: readonly Json[], seen: readonly Json[]): readonly string[] {
  const holds = expect.length === seen.length && expect.every((wanted, index) => has(seen[index] as Json, wanted));
  return holds ? [] : [differs(what, expect as Json, seen as Json)];
}

/** Whether `value` has everything that `part` has; arrays have the same length. */
function has(value: Json, part: Json): boolean {
  if (Array.isArray(part))
    return Array.isArray(value) && value.length === part.length && part.every((item, index) => has(value[index] as Json, item as Json));
  if (!isJsonObject(part)) return jsonEqual(value, part);
  return isJsonObject(value) && Object.keys(part).every((key) => Object.hasOwn(value, key) && has(value[key] as Json, part[key] as Json));
}

function differs(what: string, expected: Json, actual: Json): string {
  return `${what}: expected ${JSON.stringify(expected)}, it is ${JSON.stringify(actual)}`;
}
