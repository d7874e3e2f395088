import { lintDocument } from "@tutti/definition";
import { randomDocument } from "@tutti/engine/random-document";
import { isJsonObject, type Json, type JsonObject } from "@tutti/model";
import { createRandom, type Random } from "@tutti/testkit";
import fc from "fast-check";
import type { SuiteCase } from "../conformance/suite-runner/case-file.ts";
import type { Step } from "../conformance/suite-runner/case-format.ts";
import { predict } from "../sim/oracle.ts";

/** A random workflow, its child, and the events that come while it runs. */
export interface RandomCase {
  readonly one: SuiteCase;
  /**
   * Nothing in it depends on which of two things of the same moment comes first, so that a restart may change nothing that can be seen. Of the
   * others the laws must hold.
   */
  readonly isDetermined: boolean;
}

const CHILD = { namespace: "n", name: "child", version: "1.0.0" };
const EVENTS_MAX = 8;
const SEED_MAX = 2 ** 31 - 1;
/** Events never come at a whole second, where a wait of the workflow may end. */
const EVENT_EVERY_MS = 700;
const TRIES_MAX = 1000;
/** The generator's functions, and what the suite's stand-ins call them. The one that looks up by a list has no equal there. */
const FUNCTIONS: readonly (readonly [RegExp, string])[] = [
  [/x\.read:1@t/g, "echo.read:1@stub"],
  [/x\.idempotent:1@t/g, "echo.write:1@stub"],
  [/x\.findable:1@t/g, "echo.make:1@stub"],
  [/x\.unsafe:1@t/g, "echo.send:1@stub"],
];
/** Of so many workflows one keeps what makes two things of the same moment race: time limits, slots, competing branches, children nobody awaits. */
const RACING_EVERY = 4;

/** The case of this number: always the same. */
export function randomCase(seed: number): RandomCase {
  const random = createRandom(`restart ${seed}`);
  const isCalm = seed % RACING_EVERY !== 0;
  const child = drawn(random.fork("child"), CHILD, isCalm);
  const main = drawn(random.fork("main"), { namespace: "suite", name: "main", version: "1.0.0" }, isCalm);
  const isDetermined = isCalm && !hasRacingBranches(child, new Map()) && !hasRacingBranches(main, new Map([["child", child]]));
  const events = random.fork("events");
  const steps = Array.from({ length: events.integer(0, EVENTS_MAX) }, (_, index): Step => ({
    after: EVENT_EVERY_MS * (index + 1),
    run: "main",
    send: { type: events.pick(["a", "b"]), data: 1 },
  }));
  const documents = new Map<string, JsonObject>([
    ["child", renamed(child)],
    ["main", renamed(main)],
  ]);
  return {
    isDetermined,
    one: {
      id: `random ${seed}`,
      shows: "a random workflow",
      reference: "",
      place: `npm run test:restart -- --workflows 1 --seed ${seed}`,
      documents,
      scene: { input: { n: random.integer(0, 3) }, steps },
      expect: {},
    },
  };
}

function drawn(random: Random, head: JsonObject, isDetermined: boolean): JsonObject {
  for (let attempt = 0; attempt < TRIES_MAX; attempt += 1) {
    const [document] = fc.sample(fc.noBias(randomDocument), { numRuns: 1, seed: random.integer(0, SEED_MAX) });
    if (document === undefined || !isJsonObject(document["document"] ?? null)) continue;
    const text = JSON.stringify(document);
    if (text.includes("x.listed") || (head === CHILD && text.includes('"child"'))) continue;
    const named = { ...document, document: { ...(document["document"] as JsonObject), ...head } };
    const calm = isDetermined ? (withoutRaces(named) as JsonObject) : named;
    // Branches that end each other race, too; the oracle of the simulation knows when they do not.
    if (isDetermined && text.includes('"fork"') && predict(calm, {}, new Map()).kind === "open") continue;
    if (lintDocument(JSON.stringify(renamed(calm))).every((finding) => finding.severity !== "error")) return calm;
  }
  throw new Error("The generator gives no document that the linter takes.");
}

/**
 * Whether branches of it race. One that fails ends its siblings, or holds them when nobody takes the error: how far they had come, and whether a
 * call of theirs was sent, depends on which came first. The oracle tells by not knowing the effects. And branches that listen to events of one
 * type: a run consumes an event once, and which of them asks first after a restart is a matter of chance.
 */
function hasRacingBranches(document: JsonObject, children: ReadonlyMap<string, JsonObject>): boolean {
  if (!JSON.stringify(document).includes('"fork"')) return false;
  if (hasSharedEvents(document)) return true;
  const prediction = predict(document, {}, children);
  return prediction.kind === "open" || prediction.effects === undefined;
}

/** Whether two branches of one fork in it listen to events of one type. */
function hasSharedEvents(value: Json): boolean {
  if (Array.isArray(value)) return value.some((item) => hasSharedEvents(item as Json));
  if (!isJsonObject(value)) return false;
  const branches = isJsonObject(value["fork"]) ? value["fork"]["branches"] : undefined;
  if (Array.isArray(branches)) {
    const types = branches.map((branch) => new Set(JSON.stringify(branch).match(/(?<="type":")[ab](?=")/gu)));
    if (types.some((some, index) => types.slice(index + 1).some((others) => [...others].some((type) => some.has(type))))) return true;
  }
  return Object.values(value).some((item) => hasSharedEvents(item as Json));
}

const RACING_MEMBERS: ReadonlySet<string> = new Set(["timeout", "concurrency", "await", "compete"]);

function withoutRaces(value: Json): Json {
  if (Array.isArray(value)) return value.map((item) => withoutRaces(item as Json));
  if (!isJsonObject(value)) return value;
  const kept = Object.entries(value).filter(([key]) => !RACING_MEMBERS.has(key));
  return Object.fromEntries(kept.map(([key, item]) => [key, withoutRaces(item as Json)]));
}

function renamed(document: JsonObject): JsonObject {
  // A document of the generator, with other names.
  return JSON.parse(FUNCTIONS.reduce((text, [from, to]) => text.replace(from, to), JSON.stringify(document))) as JsonObject;
}
