import { isJsonObject, type Json, type JsonObject, ownProperty } from "@tutti/model";
import { joinPointer, pointerSegments } from "../json-pointer.ts";
import { APPLICATORS, type CompileSub } from "./applicators.ts";
import { ASSERTIONS } from "./assertions.ts";
import { type Check, Evaluated, isArray, isObject, UNKNOWN_VALUE } from "./evaluation.ts";
import { SchemaError } from "./schema-error.ts";

/** Nesting of a schema; hand-written ones stay below 20. */
const SCHEMA_DEPTH_MAX = 100;
/** Schemas within one schema; the language's own has about 500. */
const SCHEMAS_MAX = 10_000;

const DIALECTS: ReadonlyMap<string, { readonly refHidesSiblings: boolean }> = new Map([
  ["https://json-schema.org/draft/2020-12/schema", { refHidesSiblings: false }],
  ["https://json-schema.org/draft/2019-09/schema", { refHidesSiblings: false }],
  ["http://json-schema.org/draft-07/schema", { refHidesSiblings: true }],
  ["https://json-schema.org/draft-07/schema", { refHidesSiblings: true }],
]);
/** Keywords that would need what we do not have; ignoring them would accept too much. */
const REFUSED = ["$dynamicRef", "$recursiveRef"];

/**
 * Compiles a JSON Schema (2020-12, 2019-09 or draft 7, by its `$schema`) to closures. `format` is an annotation, as these drafts have it.
 * References stay within the schema; nothing is ever fetched.
 *
 * @throws SchemaError when the schema is malformed, refers elsewhere, or is too large.
 */
export function compileSchema(schema: Json): Check {
  return new Compiler(schema).compile("", schema, 0);
}

class Compiler {
  readonly #root: Json;
  readonly #refHidesSiblings: boolean;
  /** Checks by pointer. A reference finds them when it runs, so schemas may refer to themselves. */
  readonly #checks = new Map<string, Check>();
  /** `$id` and `$anchor` of the schemas below the root, by the text that a reference uses. */
  readonly #names = new Map<string, string>();
  readonly #tracksEvaluated: boolean;

  constructor(root: Json) {
    this.#root = root;
    const dialect = isJsonObject(root) ? (ownProperty(root, "$schema") ?? "https://json-schema.org/draft/2020-12/schema") : "";
    const known = typeof dialect === "string" ? DIALECTS.get(dialect.replace(/#$/, "")) : undefined;
    if (isJsonObject(root) && known === undefined) {
      throw new SchemaError(`The dialect ${JSON.stringify(dialect)} is not supported; leave \`$schema\` out for 2020-12.`, "/$schema");
    }
    this.#refHidesSiblings = known?.refHidesSiblings ?? false;
    this.#tracksEvaluated = this.#collectNames(root, "", 0);
  }

  compile(pointer: string, schema: Json, depth: number): Check {
    const compiled = this.#checks.get(pointer);
    if (compiled !== undefined) return compiled;
    if (this.#checks.size >= SCHEMAS_MAX) throw new SchemaError(`The schema has more than ${SCHEMAS_MAX} parts.`, pointer);
    if (depth > SCHEMA_DEPTH_MAX) throw new SchemaError(`The schema is nested more than ${SCHEMA_DEPTH_MAX} levels deep.`, pointer);
    if (typeof schema === "boolean")
      return this.#remember(pointer, schema ? () => true : (_value, place, run) => run.fail(place, "is not allowed here"));
    if (!isJsonObject(schema)) throw new SchemaError("A schema is an object or a boolean.", pointer);
    // Ends the compilation of references to this schema from within it; they find the real check when they run.
    this.#remember(pointer, () => true);
    return this.#remember(pointer, this.#compileObject(pointer, schema, depth));
  }

  #remember(pointer: string, check: Check): Check {
    this.#checks.set(pointer, check);
    return check;
  }

  #compileObject(pointer: string, schema: JsonObject, depth: number): Check {
    for (const keyword of REFUSED)
      if (Object.hasOwn(schema, keyword)) throw new SchemaError(`\`${keyword}\` is not supported.`, joinPointer(pointer, keyword));
    const checks: Check[] = [];
    const reference = ownProperty(schema, "$ref");
    if (reference !== undefined) checks.push(this.#reference(reference, pointer, depth));
    if (reference === undefined || !this.#refHidesSiblings) {
      const sub: CompileSub = (...segments) => this.compile(joinPointer(pointer, ...segments), at(schema, segments), depth + 1);
      for (const keyword of Object.keys(schema)) {
        const assertion = Object.hasOwn(ASSERTIONS, keyword) ? ASSERTIONS[keyword] : undefined;
        if (assertion !== undefined) checks.push(assertion(schema[keyword] as Json, joinPointer(pointer, keyword)));
      }
      for (const applicator of APPLICATORS) {
        const check = applicator(schema, sub, pointer);
        if (check !== undefined) checks.push(check);
      }
      if (Object.hasOwn(schema, "unevaluatedProperties"))
        checks.push(unevaluatedProperties(sub("unevaluatedProperties"), schema["unevaluatedProperties"] === false));
      if (Object.hasOwn(schema, "unevaluatedItems"))
        checks.push(unevaluatedItems(sub("unevaluatedItems"), schema["unevaluatedItems"] === false));
    }
    const tracks = this.#tracksEvaluated;
    return (value, place, run, outer) => {
      if (value === UNKNOWN_VALUE) {
        run.unknowns++;
        return true;
      }
      if (!run.enter()) return false;
      // What a schema looked at counts for its parent only when it holds; the parent's own list is not for this schema's `unevaluated…`.
      const evaluated = tracks ? new Evaluated() : undefined;
      let isValid = true;
      for (const check of checks) if (!check(value, place, run, evaluated)) isValid = false;
      run.leave();
      if (isValid && evaluated !== undefined) outer?.add(evaluated);
      return isValid;
    };
  }

  #reference(reference: Json, pointer: string, depth: number): Check {
    const place = joinPointer(pointer, "$ref");
    if (typeof reference !== "string") throw new SchemaError("`$ref` must be a string.", place);
    const target = this.#targetOf(reference, place);
    const schema = at(this.#root, pointerSegments(target));
    if (schema === undefined) throw new SchemaError(`\`$ref: ${reference}\` names nothing in this schema.`, place);
    this.compile(target, schema, depth + 1);
    return (value, instancePlace, run, evaluated) => this.#checks.get(target)?.(value, instancePlace, run, evaluated) ?? false;
  }

  #targetOf(reference: string, place: string): string {
    const [document = "", fragment = ""] = reference.split("#", 2);
    const base = document === "" ? "" : this.#names.get(document);
    if (base === undefined) {
      throw new SchemaError(
        `\`$ref: ${reference}\` leads out of this schema, and nothing is fetched. Put the definition into \`$defs\`.`,
        place,
      );
    }
    if (fragment === "") return base;
    if (fragment.startsWith("/")) return base + decodeFragment(fragment, place);
    const anchored = this.#names.get(`${document}#${fragment}`) ?? this.#names.get(`#${fragment}`);
    if (anchored === undefined) throw new SchemaError(`There is no anchor \`${fragment}\` in this schema.`, place);
    return anchored;
  }

  /** Notes names, and says whether any schema asks for what was evaluated. Data under `const`, `enum` and the like is not told apart. */
  #collectNames(value: Json, pointer: string, depth: number): boolean {
    if (depth > SCHEMA_DEPTH_MAX * 2) throw new SchemaError("The schema is nested too deeply.", pointer);
    if (isArray(value)) return value.map((item, index) => this.#collectNames(item, joinPointer(pointer, index), depth + 1)).some(Boolean);
    if (!isObject(value)) return false;
    const id = ownProperty(value, "$id");
    if (typeof id === "string") this.#names.set(id.replace(/#$/, ""), pointer);
    const anchor = ownProperty(value, "$anchor");
    if (typeof anchor === "string") this.#names.set(`#${anchor}`, pointer);
    let tracks = Object.hasOwn(value, "unevaluatedProperties") || Object.hasOwn(value, "unevaluatedItems");
    for (const [key, item] of Object.entries(value)) if (this.#collectNames(item, joinPointer(pointer, key), depth + 1)) tracks = true;
    return tracks;
  }
}

function unevaluatedProperties(check: Check, isClosed: boolean): Check {
  return (value, place, run, evaluated) => {
    if (!isObject(value) || evaluated === undefined) return true;
    let isValid = true;
    for (const key of Object.keys(value)) {
      if (evaluated.keys.has(key)) continue;
      const keyPlace = { parent: place, key };
      if (isClosed ? !run.fail(keyPlace, "is not allowed here") : !check(value[key] as Json, keyPlace, run, undefined)) isValid = false;
      evaluated.keys.add(key);
    }
    return isValid;
  };
}

function unevaluatedItems(check: Check, isClosed: boolean): Check {
  return (value, place, run, evaluated) => {
    if (!isArray(value) || evaluated === undefined) return true;
    let isValid = true;
    for (const [index, item] of value.entries()) {
      if (evaluated.items.has(index)) continue;
      const itemPlace = { parent: place, key: index };
      if (isClosed ? !run.fail(itemPlace, "is not allowed here") : !check(item, itemPlace, run, undefined)) isValid = false;
      evaluated.items.add(index);
    }
    return isValid;
  };
}

function decodeFragment(fragment: string, place: string): string {
  try {
    return decodeURIComponent(fragment);
  } catch {
    throw new SchemaError(`\`#${fragment}\` is not a valid fragment.`, place);
  }
}

/** The value at `segments`; undefined, despite the type of what callers know to exist, when there is none. */
function at(value: Json, segments: readonly (string | number)[]): Json {
  let found: Json | undefined = value;
  for (const segment of segments) {
    if (isArray(found ?? null)) found = (found as readonly Json[])[Number(segment)];
    else found = isJsonObject(found) ? ownProperty(found, String(segment)) : undefined;
  }
  return found as Json;
}
