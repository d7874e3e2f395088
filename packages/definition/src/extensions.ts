import { isJsonObject, type Json, type JsonObject, ownProperty } from "@tutti/model";
import { joinPointer } from "./json-pointer.ts";
import type { TaskKey } from "./schema/task.ts";

/** An entry of `use.extensions`. */
export interface DeclaredExtension {
  readonly name: string;
  /** JSON pointer of the declaration. */
  readonly pointer: string;
  readonly extension: JsonObject;
}

/** The extensions of a document, in the order of declaration. */
export function declaredExtensions(use: JsonObject): readonly DeclaredExtension[] {
  const list = ownProperty(use, "extensions");
  return (Array.isArray(list) ? (list as readonly Json[]) : []).flatMap((item, index) => {
    const [name, extension] = isJsonObject(item) ? (Object.entries(item)[0] ?? []) : [];
    if (name === undefined || !isJsonObject(extension)) return [];
    return [{ name, pointer: joinPointer("/use/extensions", index, name), extension }];
  });
}

/** The extensions that extend tasks of a kind. What the specification calls `composite` are the tasks that only hold others: `do` and `fork`. */
export function extensionsOf(use: JsonObject, kind: TaskKey | undefined): readonly DeclaredExtension[] {
  const target = kind === "do" || kind === "fork" ? "composite" : kind;
  return declaredExtensions(use).filter(({ extension }) => extension["extend"] === "all" || extension["extend"] === target);
}
