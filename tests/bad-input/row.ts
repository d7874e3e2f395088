import assert from "node:assert/strict";
import { isJsonObject, type JsonObject } from "@tutti/model";
import type { Ended } from "../cli/tutti-process.ts";
import type { House } from "./house.ts";

/** One kind of bad input: a row of docs/bad-input.md and a test of the same name. */
export interface Row {
  readonly name: string;
  /** What goes in, for people. */
  readonly input: string;
  /** A code of the catalogue, or kind and status of a task's error. Undefined when nothing is wrong for whoever gives it in. */
  readonly code: string | undefined;
  readonly exit: number;
  /** What the user reads: each part has to be there. `{name}` stands for what `act` names. Place and way out are among them. */
  readonly says: readonly string[];
  /** What becomes of the run, of the data, and what goes on when the cause is gone, for people; `act` checks it. */
  readonly goesOn: string;
  /** Gives it in, and checks what `goesOn` says. */
  readonly act: (house: House) => Promise<Seen>;
}

/** What a user saw. */
export interface Seen {
  readonly ended: Ended;
  /** What the placeholders of `says` stand for. */
  readonly names?: Readonly<Record<string, string | number>>;
}

/** A neighbour's work takes less than a second; the rest is for a busy machine. */
const NEIGHBOUR_MS_MAX = 180_000;

/** Gives a bad input to a house, and checks message, exit code, and that process and neighbours go on as if nothing had been. */
export async function check(row: Row, house: House, neighbourMsMax = NEIGHBOUR_MS_MAX): Promise<void> {
  const { pid } = house;
  const meanwhile = house.neighbour(neighbourMsMax);
  // It is waited for below; until then its failure is nobody's.
  meanwhile.catch(() => {});
  const { ended, names = {} } = await row.act(house);
  const text = `${ended.out}${ended.error}`;
  const wanted = [...row.says, ...(row.code === undefined ? [] : [codeAsShown(row.code)])];
  for (const part of wanted) {
    const whole = fill(part, names);
    assert(text.includes(whole), `the user does not read ${JSON.stringify(whole)}, but:\n${text.slice(0, SHOWN_MAX)}`);
  }
  assert.equal(ended.code, row.exit, text.slice(0, SHOWN_MAX));
  assert(!text.includes("This is a bug in Tutti"), text.slice(0, SHOWN_MAX));
  await meanwhile;
  await house.neighbour(neighbourMsMax);
  await house.mustLive(pid, neighbourMsMax);
}

/** Of what a command printed, in a test's message. */
const SHOWN_MAX = 4000;

/** `[definition-invalid]` of a command, `runtime 500` of a run. */
function codeAsShown(code: string): string {
  return / \d+$/.test(code) ? code : `[${code}]`;
}

function fill(part: string, names: Readonly<Record<string, string | number>>): string {
  return part.replaceAll(/\{(\w+)\}/g, (whole, name: string) => String(names[name] ?? whole));
}

export const head = (name: string): string => `document: { dsl: 1.0.3, namespace: bad, name: ${name}, version: 1.0.0 }\n`;

/** The id that a command printed. */
export function runIdIn(ended: Ended): string {
  const id = /run_[0-9a-z]{16}/.exec(ended.out)?.[0];
  assert(id !== undefined, `no run was started:\n${ended.out}${ended.error}`);
  return id;
}

export interface BadRun {
  readonly name: string;
  /** The text under `do:`; the bad task is named `bad`. */
  readonly tasks: string;
  /** More top-level parts of the document, each a line. */
  readonly also?: string;
  readonly words?: readonly string[];
  /** Removes the cause; the run must then complete by a `retry`. */
  readonly cure?: () => void | Promise<void>;
}

/** Starts a run that fails at its task `bad`, and checks that the error is kept there. With a cure, that it can be resumed. */
export async function failingRun(house: House, bad: BadRun): Promise<Ended> {
  house.write(`${bad.name}.yaml`, `${head(bad.name)}${bad.also ?? ""}do:\n${bad.tasks}`);
  const ended = await house.tutti("run", "start", `${bad.name}.yaml`, "--wait", ...(bad.words ?? []));
  const runId = runIdIn(ended);
  const view = await house.call("show", { runId });
  assert.equal(view["status"], "faulted", ended.out);
  const { instance } = objectAt(view, "error");
  assert(typeof instance === "string" && /\/bad\b/.test(instance), JSON.stringify(view["error"]));
  if (bad.cure === undefined) return ended;
  await bad.cure();
  await house.call("operate", { runId, actor: "test", action: { kind: "retry" } });
  const row = await house.call("waitFor", { runId, until: "rest" });
  assert.equal(row["status"], "completed", JSON.stringify(await house.call("show", { runId })).slice(0, SHOWN_MAX));
  return ended;
}

function objectAt(value: JsonObject, name: string): JsonObject {
  const found = value[name];
  return isJsonObject(found) ? found : {};
}
