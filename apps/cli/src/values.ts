import { existsSync, statSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { parseData, readText } from "@tutti/host";
import { AppError, isJsonObject, type Json, type JsonObject } from "@tutti/model";
import { INPUT_BYTES_MAX, type Io } from "./io.ts";

/** The text of a file that the user named, or of standard input for `-`. @throws AppError `file-unreadable`, `limit-exceeded`. */
export async function readNamed(io: Io, file: string): Promise<string> {
  return file === "-" ? io.readInput() : readText(resolve(io.currentDirectory, file), file, INPUT_BYTES_MAX);
}

/** Whether a word names a document in a file or on standard input, and not a published workflow. */
export function isDocumentFile(io: Io, workflow: string): boolean {
  if (workflow === "-" || /\.(ya?ml|json)$/i.test(workflow)) return true;
  const path = resolve(io.currentDirectory, workflow);
  return existsSync(path) && statSync(path).isFile();
}

/** A value in a file, JSON or YAML. @throws AppError `file-unreadable`, `input-invalid`. */
export async function readValue(io: Io, file: string): Promise<Json> {
  return parseValue(await readNamed(io, file), file === "-" ? "standard input" : basename(file));
}

export async function parseValue(text: string, name: string): Promise<Json> {
  return parseData(text, name);
}

/** `k=v` pairs into an object; dots nest (`vm.size=4`). A value that reads as JSON is JSON, else text. */
export function assignAll(target: Json, assignments: readonly string[]): Json {
  if (assignments.length === 0) return target;
  let result: JsonObject = isJsonObject(target) ? target : {};
  if (target !== null && !isJsonObject(target)) {
    throw new AppError("input-invalid", "--set changes members of an object, and the input is none.", {
      hint: "Leave --set out, or give an object.",
    });
  }
  for (const assignment of assignments) {
    const { key, value } = splitPair(assignment, "--set");
    result = assign(result, key.split("."), parseScalar(value));
  }
  return result;
}

/** `key=value` at the first equals sign. @throws AppError `usage`. */
export function splitPair(text: string, option: string): { readonly key: string; readonly value: string } {
  const at = text.indexOf("=");
  if (at < 1)
    throw new AppError("usage", `${option} takes NAME=VALUE, and got \`${text}\`.`, { hint: `For example ${option} name=value.` });
  return { key: text.slice(0, at), value: text.slice(at + 1) };
}

export function parseLabels(pairs: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const { key, value } = splitPair(pair, "--label");
      return [key, value];
    }),
  );
}

/** JSON given on the command line itself. @throws AppError `usage`. */
export function parseJsonOption(text: string, option: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (cause) {
    throw new AppError("usage", `${option} takes JSON, and \`${text}\` is none.`, {
      cause,
      hint: `Text needs quotes inside: ${option} '"text"'.`,
    });
  }
}

/** A directory-independent name for a workflow file, and what its relative references start from. */
export function baseDirectoryOf(io: Io, file: string): string {
  return file === "-" ? io.currentDirectory : dirname(resolve(io.currentDirectory, file));
}

function assign(target: JsonObject, path: readonly string[], value: Json): JsonObject {
  const [first = "", ...rest] = path;
  const inner = Object.hasOwn(target, first) ? target[first] : undefined;
  const next = rest.length === 0 ? value : assign(isJsonObject(inner) ? inner : {}, rest, value);
  // Entries, not assignment: a key may have any name, `__proto__` included.
  return Object.fromEntries([...Object.entries(target).filter(([key]) => key !== first), [first, next]]);
}

function parseScalar(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}
