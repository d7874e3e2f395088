import { compileWorkflow, lintDocument, parseDocument, type ScheduleTrigger } from "@tutti/definition";
import { collectEvent, type EngineContext, type EventGroup, eventTypesOf, inputOfEvents } from "@tutti/engine";
import { type CloudEvent, type Json, jsonEqual, type JsonObject } from "@tutti/model";
import { CloudEventSchema } from "@tutti/model/schemas";
import type { Random } from "@tutti/testkit";
import { json } from "../generate/json.ts";
import { broken, type Target, type Verdict } from "../target.ts";

interface Input {
  readonly [key: string]: Json;
  readonly strategy: number;
  readonly events: readonly Json[];
}

/** What a schedule may wait for; the first ones are judged by hand as well. */
const STRATEGIES: readonly JsonObject[] = [
  { one: { with: { type: "a.b" } } },
  { one: { with: { type: "a.b", source: "/s", subject: "x" } } },
  { one: { with: { type: "^a\\..*$" } } },
  { one: { with: { data: "${ .n > 1 }" } } },
  { all: [{ with: { type: "a.b" } }, { with: { type: "c" } }] },
  {
    all: [
      { with: { type: "a.b" }, correlate: { order: { from: "${ .data.id }" } } },
      { with: { type: "c" }, correlate: { order: { from: "${ .data.id }" } } },
    ],
  },
  { all: [{ with: { type: "a.b" }, correlate: { order: { from: "${ .data.id }", expect: "1" } } }, { with: { source: "/s" } }] },
  { any: [], until: "${ length > 2 }" },
  { any: [{ with: { type: "a.b" } }], until: { one: { with: { type: "c" } } } },
  { any: [{ with: { type: "a.b" } }, { with: { type: "c" } }] },
];
const NOW_MS = Date.UTC(2026, 0, 1);
const PLAIN = 2;

export const event: Target<Input> = {
  name: "event",
  law: "what is no CloudEvent is refused; an event is in at most one group and used once; simple filters take what they name, and nothing else",
  control: "a type is compared by its beginning",
  make: (random) => ({
    strategy: random.integer(0, STRATEGIES.length - 1),
    events: Array.from({ length: random.integer(1, 6) }, () =>
      random.chance(0.9) ? cloudEvent(random) : json(random, { isNasty: true, depth: 3 }),
    ),
  }),
  open: async (isSabotaged) => {
    const schedules = STRATEGIES.map((strategy) => scheduleOf(strategy));
    return { check: (input) => check(input, schedules, isSabotaged) };
  },
};

function cloudEvent(random: Random): Json {
  const attribute = (values: readonly Json[]): Json =>
    random.chance(0.95) ? random.pick(values) : json(random, { isNasty: true, depth: 1 });
  const all: JsonObject = {
    specversion: random.chance(0.95) ? "1.0" : random.pick<Json>(["0.3", 1, null]),
    id: attribute(["1", "2", "3"]),
    source: attribute(["/s", "/t"]),
    type: attribute(["a.b", "a.b.c", "c", "axb"]),
    subject: attribute(["x", "y"]),
    time: attribute(["2026-01-01T00:00:00Z", "2026-01-01", "yesterday"]),
    datacontenttype: "application/json",
    data: random.chance(0.7) ? { id: attribute(["1", "2", 1]), n: attribute([0, 1, 2, "3"]) } : json(random, { isNasty: true, depth: 3 }),
    data_base64: "aGk=",
    ["__proto__"]: "x",
    extension: json(random, { isNasty: true, depth: 1 }),
  };
  const always = ["id", "source", "type"];
  return Object.fromEntries(Object.entries(all).filter(([name]) => (always.includes(name) ? random.chance(0.98) : random.chance(0.5))));
}

interface Schedule {
  readonly trigger: ScheduleTrigger & { readonly kind: "on" };
  readonly context: EngineContext;
}

function scheduleOf(on: JsonObject): Schedule {
  const document = {
    document: { dsl: "1.0.3", namespace: "fuzz", name: "events", version: "1.0.0" },
    schedule: { on },
    do: [{ nothing: { set: { a: 1 } } }],
  };
  const parsed = parseDocument(JSON.stringify(document));
  const wrong = lintDocument(parsed).find(({ severity }) => severity === "error");
  if (wrong !== undefined || parsed.json === undefined) throw new Error(`A strategy of this file is wrong: ${wrong?.message ?? ""}`);
  const program = compileWorkflow(parsed.json);
  const trigger = program.schedule?.trigger;
  if (trigger?.kind !== "on") throw new Error("A document of this file has no schedule.");
  return { trigger, context: { program, runtime: {}, functions: { describe: () => undefined } } };
}

function check({ strategy, events }: Input, schedules: readonly Schedule[], isSabotaged: boolean): Verdict {
  const schedule = schedules[strategy];
  if (schedule === undefined) return undefined;
  const { trigger, context } = schedule;
  eventTypesOf(trigger.strategy);
  let groups: readonly EventGroup[] = [];
  const inbox: CloudEvent[] = [];
  const used = new Set<number>();
  for (const given of events) {
    const read = CloudEventSchema.safeParse(given);
    if (read.success !== isEventSlowly(given))
      return broken("takes it for another thing", `${JSON.stringify(given)}: ${String(read.success)}`);
    if (!read.success) continue;
    // What the schema let through is one, and travels as JSON.
    const stored = JSON.parse(JSON.stringify(read.data)) as CloudEvent;
    const position = inbox.push(stored) - 1;
    const offered = isSabotaged ? { ...stored, type: stored.type.slice(0, 3) } : stored;
    const offer = { trigger, groups, event: offered, position, nowMs: NOW_MS + position, eventAt: (at: number) => inbox[at] };
    const next = collectEvent(offer, context);
    const again = collectEvent(offer, context);
    if (JSON.stringify(next) !== JSON.stringify(again)) return broken("not deterministic", JSON.stringify(next));
    if (strategy < PLAIN && (next.complete !== undefined) !== fitsSlowly(strategy, stored))
      return broken("another filter", `${JSON.stringify(stored)}: ${JSON.stringify(next.complete)}`);
    const places = [...next.groups.flatMap((group) => group.positions), ...(next.complete?.positions ?? [])];
    if (new Set(places).size !== places.length) return broken("in two groups", JSON.stringify(next));
    for (const place of next.complete?.positions ?? []) {
      if (used.has(place)) return broken("used twice", JSON.stringify(next));
      used.add(place);
    }
    if (next.complete !== undefined)
      inputOfEvents(
        next.complete.positions.map((at) => inbox[at] as CloudEvent),
        trigger.read,
      );
    groups = next.groups;
  }
  return undefined;
}

function isEventSlowly(given: Json): boolean {
  if (typeof given !== "object" || given === null || Array.isArray(given)) return false;
  const of = (name: string): unknown => Object.getOwnPropertyDescriptor(given, name)?.value;
  const isText = (name: string): boolean => typeof of(name) === "string" && of(name) !== "";
  const isMissing = (name: string): boolean => of(name) === undefined;
  if (!isMissing("specversion") && of("specversion") !== "1.0") return false;
  if (!["id", "source", "type"].every(isText)) return false;
  if (!["subject", "datacontenttype", "dataschema"].every((name) => isMissing(name) || isText(name))) return false;
  return isMissing("time") || (isText("time") && /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}/.test(String(of("time"))));
}

function fitsSlowly(strategy: number, stored: CloudEvent): boolean {
  if (stored.type !== "a.b") return false;
  return strategy === 0 || (stored.source === "/s" && jsonEqual(stored["subject"], "x"));
}
