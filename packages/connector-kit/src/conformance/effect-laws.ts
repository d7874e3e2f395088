import { isDeepStrictEqual } from "node:util";
import { isJsonObject, type Json } from "@tutti/model";
import type { EffectPreview, PreviewedEffect } from "../effect-preview.ts";
import { type Bench, type Call, changesBetween, freshToken, keyOf, must, mustBeSame, type SeenChange } from "./bench.ts";
import type { FunctionLaw } from "./laws.ts";

/** What a function does to the target when nothing fails. */
export const EFFECT_LAWS: readonly FunctionLaw[] = [
  {
    of: "function",
    name: "a look changes nothing",
    when: (bench, name) => bench.declared(name).effect === "read",
    check: async (bench, name) => {
      const call = await bench.prepare(name);
      const before = await bench.list();
      await bench.run(call);
      mustBeSame(before, await bench.list(), `after ${name}, which only reads`);
    },
  },
  {
    of: "function",
    name: "what it made is in the list, under its token",
    when: (bench, name) => bench.declared(name).creates !== undefined,
    check: checkCreated,
  },
  {
    of: "function",
    name: "what it changes or deletes is what it says",
    when: (bench, name) => (bench.declared(name).changes ?? bench.declared(name).deletes) !== undefined,
    check: async (bench, name) => {
      const call = await bench.prepare(name);
      const before = await bench.list();
      await bench.run(call);
      const seen = changesBetween(before, await bench.list());
      const { changes, deletes } = call.declared;
      must(
        seen.some((each) => each.resource === (changes ?? deletes) && (deletes === undefined || each.kind === "delete")),
        `${name} ${deletes === undefined ? `changes a ${changes}` : `deletes a ${deletes}`}; the list shows ${JSON.stringify(seen)}`,
      );
    },
  },
  {
    of: "function",
    name: "deleting what is gone is done already",
    when: (bench, name) => bench.declared(name).deletes !== undefined,
    check: async (bench, name) => {
      const call = await bench.prepare(name);
      await bench.run(call);
      const gone = await bench.list();
      for (const again of [call, { ...call, token: freshToken() }])
        await bench.run(again, { number: 2 }).catch((error: unknown) => must(false, `${name} of what is gone succeeds: ${String(error)}`));
      mustBeSame(gone, await bench.list(), `after a second and third ${name}`);
    },
  },
  {
    of: "function",
    name: "it is found by its token, and by no other",
    when: (bench, name) => bench.declared(name).find !== undefined,
    check: checkFind,
  },
  {
    of: "function",
    name: "the same token again is the same effect and the same output",
    when: (bench, name) => bench.declared(name).effect === "idempotent",
    check: async (bench, name) => {
      const call = await bench.prepare(name);
      // As after a crash before the end was stored: nothing has been tidied up.
      const attempt = bench.attempt(call.token, await bench.plain(), 1);
      const first = await bench.watched(attempt, () => call.declared.run(call.input, attempt));
      const once = await bench.list();
      const second = await bench.run(call, { number: 2 });
      must(isDeepStrictEqual(second, first), `the output of a repeated ${name} is that of the first: ${JSON.stringify([first, second])}`);
      mustBeSame(once, await bench.list(), `after ${name} under the same token`);
    },
  },
  {
    of: "function",
    name: "its undo restores what was, also when it is carried out twice",
    when: (bench, name) => bench.declared(name).undo !== undefined,
    check: async (bench, name) => {
      const call = await bench.prepare(name);
      const before = await bench.list();
      const output = await bench.run(call);
      must(changesBetween(before, await bench.list()).length > 0, `${name} changed something that can be undone`);
      const undo = bench.undoOf(call, output);
      await bench.run(undo);
      mustBeSame(before, await bench.list(), `after ${name} and its undo`);
      await bench.run(undo, { number: 2 });
      mustBeSame(before, await bench.list(), `after a second undo of ${name}`);
    },
  },
  {
    of: "function",
    name: "its preview has no effect and names what then happens",
    when: (bench, name) => bench.declared(name).preview !== undefined,
    check: checkPreview,
  },
];

async function checkCreated(bench: Bench, name: string): Promise<void> {
  const call = await bench.prepare(name);
  const type = call.declared.creates ?? "";
  const resource = bench.connector.resources?.[type];
  must(resource !== undefined, `${name} creates a resource type`);
  const before = await bench.list();
  await bench.run(call);
  const made = changesBetween(before, await bench.list()).filter((each) => each.kind === "create" && each.resource === type);
  const [one] = made;
  must(one !== undefined && made.length === 1, `the list of ${type} shows one more after ${name}: ${JSON.stringify(made)}`);
  const attempt = bench.attempt(freshToken(), await bench.plain(), 1);
  const read = await bench.watched(attempt, () => resource.read(one.name, attempt));
  must(isDeepStrictEqual(read, one.after), `reading ${type} ${one.name} gives what the list gave`);
  must(resource.token === undefined || resource.token(one.after ?? null) === call.token, `${type} ${one.name} holds the token of its call`);
  const absent = await bench.watched(attempt, () => resource.read(`${one.name}x`, attempt));
  must(absent === undefined, `a ${type} that is not there is undefined when it is read`);
}

async function checkFind(bench: Bench, name: string): Promise<void> {
  const call = await bench.prepare(name);
  must((await bench.find(call)) === undefined, `${name} is not found before it was called`);
  const output = await bench.run(call);
  const found = await bench.find(call);
  must(isDeepStrictEqual(found, output), `what is found of ${name} is its output: ${JSON.stringify([found, output])}`);
  must((await bench.find({ ...call, token: freshToken() })) === undefined, `${name} is not found under another token`);
}

async function checkPreview(bench: Bench, name: string): Promise<void> {
  const call = await bench.prepare(name);
  const before = await bench.list();
  const preview = await bench.preview(call);
  mustBeSame(before, await bench.list(), `after the preview of ${name}`);
  const output = await bench.run(call);
  const seen = changesBetween(before, await bench.list());
  const foreseen = named(preview.effects, seen).toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  must(
    isDeepStrictEqual(foreseen.map(keyOf), seen.map(keyOf)),
    `the preview of ${name} names what then happens: ${JSON.stringify(foreseen.map(keyOf))} against ${JSON.stringify(seen.map(keyOf))}`,
  );
  for (const [index, effect] of foreseen.entries()) {
    must(
      effect.after === undefined || holds(seen[index]?.after, effect.after),
      `${keyOf(effect)} comes out as the preview of ${name} says`,
    );
    const was = before.get(effect.resource)?.get(effect.name);
    must(effect.before === undefined || holds(was, effect.before), `${keyOf(effect)} was what the preview of ${name} says`);
    must(effect.isReversible === isUndoable(call), `the preview of ${name} says whether ${keyOf(effect)} can be undone`);
  }
  for (const { kind, name: receiver, isReversible } of preview.effects.filter((each) => each.kind === "send")) {
    must(receiver !== undefined && receiver !== "", `the preview of ${name} says to whom it would ${kind}`);
    must(isReversible === isUndoable(call), `the preview of ${name} says whether what is sent to ${receiver} can be taken back`);
  }
  must(
    preview.output === undefined || holds(output, preview.output),
    `the output of ${name} is as its preview said: ${JSON.stringify([preview.output, output])}`,
  );
}

/** The foreseen changes, those whose name only the target gives under the name of one that was made and not foreseen. */
function named(effects: EffectPreview["effects"], seen: readonly SeenChange[]): readonly (PreviewedEffect & { readonly name: string })[] {
  const changes = effects.filter((each) => each.kind !== "read" && each.kind !== "send");
  const open = seen.filter(
    ({ kind, resource, name }) => kind === "create" && !changes.some((each) => each.resource === resource && each.name === name),
  );
  return changes.map((effect) => {
    if (effect.name !== undefined) return { ...effect, name: effect.name };
    const at = open.findIndex(({ kind, resource }) => kind === effect.kind && resource === effect.resource);
    return { ...effect, name: at < 0 ? "(not named)" : (open.splice(at, 1)[0]?.name ?? "") };
  });
}

function isUndoable({ declared }: Call): boolean {
  return declared.undo !== undefined;
}

/** Whether `value` has everything that `part` says. */
function holds(value: Json | undefined, part: Json): boolean {
  if (isJsonObject(part))
    return (
      isJsonObject(value) && Object.entries(part).every(([key, each]) => holds(Object.hasOwn(value, key) ? value[key] : undefined, each))
    );
  return isDeepStrictEqual(value, part);
}
