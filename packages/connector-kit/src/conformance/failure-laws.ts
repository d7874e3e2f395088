import { setTimeout as pause } from "node:timers/promises";
import type { Json } from "@tutti/model";
import { ConnectorError } from "../connector.ts";
import { type Bench, type Call, changesBetween, freshToken, type Listing, must, mustBeSame, type SeenChange } from "./bench.ts";
import type { OpenTarget, TargetFault } from "./connector-under-test.ts";
import type { ConnectorLaw, FunctionLaw } from "./laws.ts";

/** The runtime waits this long for an attempt that was asked to stop. */
const ABORT_MS = 5000;
/** A connector reads as much as it has a limit for, on a busy machine; one without a limit never ends. */
const FLOOD_MS = 20_000;
/** Requests of one call that are lost one by one; a call that makes more is judged by these. */
const REQUESTS_MAX = 30;

/** What a function does when the target fails, or the way to it. */
export const FAILURE_LAWS: readonly (FunctionLaw | ConnectorLaw)[] = [
  {
    of: "function",
    name: "whichever request or answer is lost, doubled or fails late, there is one effect in the end, and its undo restores what was",
    when: (bench, name) => bench.declared(name).effect !== "read" && bench.declared(name).effect !== "unsafe",
    check: async (bench, name) => {
      const usual = await shapeOf(bench, name);
      const { effect, unique } = bench.declared(name);
      // Of a target that refuses no second one a request that arrives twice makes two, and no connector can help it.
      const doubled = effect === "idempotent" || unique === true ? (["doubled"] as const) : [];
      for (const kind of ["answer-lost", "request-lost", "failed-after", ...doubled] as const) {
        for (let request = 1; request <= REQUESTS_MAX; request += 1) {
          if (!(await survives(bench, name, { fault: { kind, request }, usual }))) break;
        }
      }
    },
  },
  {
    of: "function",
    name: "nothing listens: it never began, and may be tried again",
    when: () => true,
    check: async (bench, name) => {
      const error = await failure(bench, name, { kind: "down" });
      must(error.outcome === "never-began", `${name} never began when nothing listens; it says ${error.outcome}: ${error.message}`);
      must(error.retryable, `${name} may be tried again when nothing listens: ${error.message}`);
    },
  },
  {
    of: "function",
    name: "a target that can't now may be asked again",
    when: () => true,
    check: async (bench, name) => {
      const error = await failure(bench, name, { kind: "busy" });
      must(error.retryable, `${name} may be tried again when the target is busy: ${error.message}`);
    },
  },
  {
    of: "function",
    name: "wrong credentials are permanent, and said to be that",
    when: (bench) => bench.connector.credentials !== undefined,
    check: async (bench, name) => {
      const error = await failure(bench, name, { kind: "denied" });
      must(!error.retryable, `${name} with wrong credentials is not tried again: ${error.message}`);
      must(
        error.errorKind === "authentication" || error.errorKind === "authorization",
        `${name} with wrong credentials fails as authentication or authorization, not ${error.errorKind}`,
      );
    },
  },
  {
    of: "function",
    name: "what the target will never take is permanent and changes nothing",
    when: (bench, name) => bench.under.functions[name]?.refused !== undefined,
    check: async (bench, name) => {
      const call = await bench.prepare(name, "refused");
      const before = await bench.list();
      const error = await failureOf(() => bench.run(call), name);
      must(!error.retryable && error.outcome !== "unknown", `${name} is refused for good, and nothing is in doubt: ${error.message}`);
      mustBeSame(before, await bench.list(), `after ${name} was refused`);
    },
  },
  {
    of: "function",
    name: "garbage, or another system's success, is an error of the connector's own words",
    when: () => true,
    check: async (bench, name) => {
      for (const kind of ["garbage", "stranger"] as const) await failure(bench, name, { kind });
    },
  },
  {
    of: "function",
    name: "an answer without an end is cut off",
    when: () => true,
    check: async (bench, name) => {
      const call = await bench.prepare(name);
      const target = await bench.open({ kind: "flood" });
      const controller = new AbortController();
      const attempt = bench.attempt(call.token, target, 1, controller.signal);
      const ended = failureOf(() => bench.watched(attempt, () => call.declared.run(call.input, attempt)), `${name} that is flooded`);
      const error = await Promise.race([ended, pause(FLOOD_MS, undefined, { ref: false })]);
      controller.abort(new Error("stopped"));
      must(error !== undefined, `${name} gives up an answer without an end within ${FLOOD_MS / 1000} s`);
    },
  },
  {
    of: "function",
    name: "a target that tells everything it was sent tells no secret on",
    when: () => true,
    // Every call is watched for secrets; this is the target that would have them told.
    check: async (bench, name) => {
      await failure(bench, name, { kind: "echo" });
    },
  },
  {
    of: "function",
    name: "a target that is out of reach is never taken for absence",
    when: (bench, name) => bench.declared(name).find !== undefined,
    check: async (bench, name) => {
      const call = await bench.prepare(name);
      for (const kind of ["down", "busy", "garbage", "stranger"] as const) {
        const target = await bench.open({ kind });
        const found = await bench.find(call, target).catch((error: unknown) => error);
        must(found instanceof ConnectorError, `finding ${name} fails when the target is ${kind}; it gave ${JSON.stringify(found)}`);
      }
    },
  },
  {
    of: "connector",
    name: "a list or a reading of a target that is out of reach fails",
    when: (bench) => bench.connector.resources !== undefined,
    check: async (bench) => {
      for (const [type, resource] of Object.entries(bench.connector.resources ?? {})) {
        for (const kind of ["down", "busy", "garbage", "stranger"] as const) {
          const target = await bench.open({ kind });
          const attempt = bench.attempt(freshToken(), target, 1);
          const id = await someId(bench, type);
          await failureOf(() => bench.watched(attempt, () => resource.list(attempt)), `the list of ${type}`);
          await failureOf(() => bench.watched(attempt, () => resource.read(id, attempt)), `reading a ${type}`);
        }
      }
    },
  },
  {
    of: "function",
    name: "an abort ends it, and before the first request it never begins",
    when: () => true,
    check: checkAbort,
  },
];

/** What one call changes when nothing fails. */
async function shapeOf(bench: Bench, name: string): Promise<string> {
  const call = await bench.prepare(name);
  const before = await bench.list();
  await bench.run(call);
  return shape(changesBetween(before, await bench.list()));
}

function shape(changes: readonly SeenChange[]): string {
  return changes
    .map(({ kind, resource }) => `${kind} ${resource}`)
    .toSorted()
    .join(", ");
}

/** Loses one request or answer and goes on as the runtime does. @returns whether the fault was met. */
async function survives(
  bench: Bench,
  name: string,
  how: { readonly fault: TargetFault & { readonly request: number }; readonly usual: string },
): Promise<boolean> {
  const { fault, usual } = how;
  const call = await bench.prepare(name);
  const before = await bench.list();
  const target = await bench.open(fault);
  const when = `when request ${fault.request} of ${name} meets ${fault.kind}`;
  const output = await runToTheEnd(bench, call, { target, fault, before, when });
  const wasMet = target.requests() >= fault.request;
  const changes = changesBetween(before, await bench.list());
  must(shape(changes) === usual, `${when}, the end is that of an undisturbed call: ${shape(changes)} against ${usual}`);
  if (call.declared.undo !== undefined) {
    await bench.run(bench.undoOf(call, output));
    mustBeSame(before, await bench.list(), `after ${name} and its undo ${when}`);
  }
  return wasMet;
}

/** What the runtime does with an attempt whose outcome may be unknown. */
async function runToTheEnd(
  bench: Bench,
  call: Call,
  how: { readonly target: OpenTarget; readonly fault: TargetFault; readonly before: Listing; readonly when: string },
): Promise<Json> {
  const { target, fault, before, when } = how;
  const attempt = bench.attempt(call.token, target, 1);
  let first: ConnectorError;
  try {
    const output = await bench.watched(attempt, () => call.declared.run(structuredClone(call.input), attempt));
    bench.checkOutput(call, output);
    await attempt.store("completed").catch(() => {});
    return output;
  } catch (error) {
    must(error instanceof ConnectorError, `${when}, it fails as ConnectorError: ${String(error)}`);
    first = error;
  }
  if (fault.kind === "failed-after") must(first.retryable, `${when}, it may be tried again: ${first.message}`);
  else must(first.outcome !== "answered", `${when}, nobody has answered completely: ${first.message}`);
  if (first.outcome === "never-began") mustBeSame(before, await bench.list(), `${when}, since the call says that it never began`);
  if (bench.effect(call) === "findable") {
    if (call.declared.unique !== true) await pause(call.declared.settleMs);
    const found = await bench.find(call);
    if (found !== undefined) return found;
  }
  return bench.run(call, { number: 2 });
}

async function failure(bench: Bench, name: string, fault: TargetFault): Promise<ConnectorError> {
  const call = await bench.prepare(name);
  const target = await bench.open(fault);
  return failureOf(() => bench.run(call, { target }), `${name} on a target that is ${fault.kind}`);
}

async function failureOf(work: () => Promise<unknown>, what: string): Promise<ConnectorError> {
  let result: unknown;
  try {
    result = await work();
  } catch (error) {
    must(error instanceof ConnectorError, `${what} fails as ConnectorError, not as ${String(error)}`);
    must(error.message.trim() !== "", `${what} says what is wrong`);
    return error;
  }
  must(false, `${what} fails; it gave ${JSON.stringify(result)}`);
}

async function checkAbort(bench: Bench, name: string): Promise<void> {
  const call = await bench.prepare(name);
  const target = await bench.open({ kind: "silent" });
  const controller = new AbortController();
  const attempt = bench.attempt(call.token, target, 1, controller.signal);
  const ended = failureOf(() => bench.watched(attempt, () => call.declared.run(call.input, attempt)), `${name} that was aborted`);
  await Promise.race([target.reached, ended]);
  must(target.requests() > 0, `${name} asks its target`);
  controller.abort(Object.assign(new Error("The attempt was asked to stop: cancelled."), { name: "AbortError" }));
  const error = await Promise.race([ended, pause(ABORT_MS, undefined, { ref: false })]);
  must(error !== undefined, `${name} ends within ${ABORT_MS / 1000} s after it was aborted`);
  must(error.outcome !== "answered", `${name} that was aborted had no answer: ${error.message}`);

  const unasked = await bench.open({ kind: "silent" });
  const stopped = bench.attempt(call.token, unasked, 1, AbortSignal.abort(new Error("stopped")));
  const second = await failureOf(
    () => bench.watched(stopped, () => call.declared.run(call.input, stopped)),
    `${name} that was aborted before it began`,
  );
  must(second.outcome === "never-began", `${name} that was aborted before it began says so: ${second.message}`);
  must(unasked.requests() === 0, `${name} that was aborted before it began asks nobody`);
}

/** The id of a resource that is there, or one that nothing has. */
async function someId(bench: Bench, type: string): Promise<string> {
  const [id] = (await bench.list()).get(type)?.keys() ?? [];
  return id ?? "nothing";
}
