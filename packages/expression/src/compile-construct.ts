import { emptyObjectFor, type Json } from "@tutti/model";
import { index } from "./access.ts";
import type { Node, ObjectEntry } from "./ast.ts";
import { type Code, collect, combinations, constant, type Each, type Emit, type Env, folded, many, type One, single } from "./code.ts";
import type { Compiler } from "./compile.ts";
import { FORMATS, type Format } from "./formats.ts";
import type { Run } from "./run.ts";
import type { Scope } from "./scope.ts";
import { describe, type MutableObject, newObject } from "./values.ts";

type NodeOf<Kind extends Node["kind"]> = Extract<Node, { kind: Kind }>;

export function compileArray(compiler: Compiler, node: NodeOf<"array">, scope: Scope): Code {
  if (node.body === undefined) return constant([]);
  const items = node.body.kind === "comma" ? node.body.items : [node.body];
  const codes = items.map((item) => compiler.compile(item, scope));
  const ones = codes.map((code) => code.one);
  const growth = codes.reduce((sum, code) => sum + Math.max(1, code.growth), 0);
  if (ones.every((one) => one !== undefined)) return folded(fixedArray(ones as One[], growth), codes);
  return single((run, input, env) => {
    run.spend(2);
    if (codes.length === 1) return collect(run, codes[0] as Code, input, env);
    const array: Json[] = [];
    for (const code of codes) {
      for (const item of collect(run, code, input, env)) array.push(item);
      run.array(array.length);
    }
    return array;
  }, Number.POSITIVE_INFINITY);
}

function fixedArray(ones: readonly One[], growth: number): Code {
  const { length } = ones;
  return single((run, input, env) => {
    run.spend(length + 1);
    const array: Json[] = [];
    for (let position = 0; position < length; position++) array.push((ones[position] as One)(run, input, env));
    return array;
  }, growth);
}

export function compileObject(compiler: Compiler, node: NodeOf<"object">, scope: Scope): Code {
  const entries = node.entries.map((entry) => compileEntry(compiler, entry, scope));
  const growth = entries.reduce((sum, entry) => sum + Math.max(1, entry.value.growth), 0);
  const codes = entries.flatMap((entry) => [entry.key, entry.value]);
  if (entries.every((entry) => typeof entry.key.constant === "string" && entry.value.one !== undefined)) {
    const keys = entries.map((entry) => entry.key.constant as string);
    const values = entries.map((entry) => entry.value.one as One);
    return folded(fixedObject(keys, values, growth), codes);
  }
  return {
    ...many(objectEach(entries, node.at), growth),
    one: codes.every((code) => code.one !== undefined) ? objectOne(entries, node.at) : undefined,
  };
}

interface Entry {
  readonly key: Code;
  readonly value: Code;
  /** `{"a\(1)"}`: the value is the input's member of that key, which must not be computed again. */
  readonly isShorthand: boolean;
  readonly at: number;
}

function compileEntry(compiler: Compiler, entry: ObjectEntry, scope: Scope): Entry {
  const key = compiler.compile(entry.key, scope);
  const isShorthand = entry.value.kind === "index" && entry.value.key === entry.key && key.constant === undefined;
  return { key, value: compiler.compile(entry.value, scope), isShorthand, at: entry.key.at };
}

function fixedObject(keys: readonly string[], values: readonly One[], growth: number): Code {
  const { length } = keys;
  return single((run, input, env) => {
    run.object(length);
    const object = emptyObjectFor(keys);
    for (let position = 0; position < length; position++) object[keys[position] as string] = (values[position] as One)(run, input, env);
    return object;
  }, growth);
}

function objectOne(entries: readonly Entry[], at: number): One {
  return (run, input, env) => {
    run.object(entries.length);
    const object = newObject();
    for (const { key, value, isShorthand } of entries) {
      const name = checkedKey(run, (key.one as One)(run, input, env), at);
      object[name] = isShorthand ? index(run, input, name) : (value.one as One)(run, input, env);
    }
    return object;
  };
}

/** The first entry is the outermost loop. */
function objectEach(entries: readonly Entry[], at: number): Each {
  return (run, input, env, emit) => {
    const names: string[] = [];
    const values: Json[] = [];
    const loop = (position: number): boolean => {
      const entry = entries[position];
      if (entry === undefined) return emit(assembled(run, names, values));
      return entry.key.each(run, input, env, (key) => {
        const name = checkedKey(run, key, at);
        const withValue = (value: Json): boolean => {
          names[position] = name;
          values[position] = value;
          return loop(position + 1);
        };
        return entry.isShorthand ? withValue(index(run, input, name)) : entry.value.each(run, input, env, withValue);
      });
    };
    return loop(0);
  };
}

function assembled(run: Run, names: readonly string[], values: readonly Json[]): MutableObject {
  run.object(names.length);
  const object = newObject();
  for (let position = 0; position < names.length; position++) object[names[position] as string] = values[position] as Json;
  return object;
}

function checkedKey(run: Run, key: Json, at: number): string {
  if (typeof key === "string") return key;
  run.at = at;
  throw run.raise(`Cannot use ${describe(run, key)} as object key`);
}

export function compileFormat(compiler: Compiler, node: NodeOf<"format">): Code {
  const format = formatOf(compiler, node.format, node.at);
  return single((run, input) => {
    run.at = node.at;
    return format(run, input);
  }, 1);
}

export function compileString(compiler: Compiler, node: NodeOf<"string">, scope: Scope): Code {
  const format = formatOf(compiler, node.format ?? "@text", node.at);
  const codes = node.parts.map((part) => (typeof part === "string" ? constant(part) : compiler.compile(part, scope)));
  const isText = node.parts.map((part) => typeof part === "string");
  const join = (run: Run, values: readonly Json[]): string => {
    run.at = node.at;
    let text = "";
    for (let position = 0; position < values.length; position++) {
      const value = values[position] as Json;
      text += isText[position] ? (value as string) : format(run, value);
      if (text.length > run.limits.stringLength) run.string(text.length);
    }
    run.string(text.length);
    return text;
  };
  if (codes.every((code) => code.one !== undefined)) {
    return folded(
      single((run, input, env) => join(run, evaluateAll(codes, { run, input, env })), 1),
      codes,
    );
  }
  return many(
    combinations(codes, (run, _input, values, emit: Emit) => emit(join(run, values))),
    1,
  );
}

function evaluateAll(codes: readonly Code[], context: { run: Run; input: Json; env: Env }): Json[] {
  return codes.map((code) => (code.one as One)(context.run, context.input, context.env));
}

function formatOf(compiler: Compiler, name: string, at: number): Format {
  const format = FORMATS.get(name);
  if (format === undefined) throw compiler.error(`${name.slice(1)} is not a valid format`, at);
  return format;
}
