import type { Json } from "@tutti/model";
import { formatNumber } from "./number-format.ts";
import type { Run } from "./run.ts";

/** Serializes as jq does: no spaces, jq's number format, `nan` as null. Deep or exploding values end in a limit error. */
export function toJson(run: Run, value: Json): string {
  if (typeof value === "string") return quote(run, value);
  if (typeof value === "number") return formatNumber(value);
  return new JsonWriter(run).write(value);
}

/** At least the first `length` characters of the JSON of a value, for messages about values of any size. */
export function jsonBeginning(run: Run, value: Json, length: number): string {
  if (typeof value === "string") return quote(run, value.slice(0, length));
  if (typeof value !== "object" || value === null) return toJson(run, value);
  run.spend(1);
  const isList = Array.isArray(value);
  let text = isList ? "[" : "{";
  for (const key of isList ? value.keys() : Object.keys(value)) {
    if (text.length >= length) return text;
    if (text.length > 1) text += ",";
    if (!isList) text += `${quote(run, key as string)}:`;
    text += jsonBeginning(run, (value as { readonly [key: string | number]: Json })[key] as Json, length - text.length);
  }
  return text + (isList ? "]" : "}");
}

function quote(run: Run, text: string): string {
  run.string(text.length);
  const quoted = JSON.stringify(text);
  return quoted.includes("\u007f") ? quoted.replaceAll("\u007f", "\\u007f") : quoted;
}

class JsonWriter {
  readonly #run: Run;
  #length = 0;
  #depth = 0;

  constructor(run: Run) {
    this.#run = run;
  }

  write(value: Json): string {
    const text = this.#text(value);
    this.#length += text.length;
    if (this.#length > this.#run.limits.stringLength) this.#run.string(this.#length);
    return text;
  }

  #text(value: Json): string {
    this.#run.spend(2);
    if (value === null || value === undefined) return "null";
    if (typeof value === "boolean") return value ? "true" : "false";
    if (typeof value === "number") return formatNumber(value);
    if (typeof value === "string") return quote(this.#run, value);
    if (++this.#depth > this.#run.limits.nesting) throw this.#run.limit(`a value is nested more than ${this.#run.limits.nesting} deep`);
    const text = Array.isArray(value) ? this.#array(value as readonly Json[]) : this.#object(value as { readonly [key: string]: Json });
    this.#depth--;
    this.#length -= text.length;
    return text;
  }

  #array(items: readonly Json[]): string {
    let text = "[";
    for (let index = 0; index < items.length; index++) {
      if (index > 0) text += ",";
      text += this.write(items[index] as Json);
    }
    return `${text}]`;
  }

  #object(object: { readonly [key: string]: Json }): string {
    let text = "{";
    for (const key of Object.keys(object)) {
      if (text.length > 1) text += ",";
      text += `${this.write(key)}:${this.write(object[key] as Json)}`;
    }
    return `${text}}`;
  }
}
