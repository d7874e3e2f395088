import { isJsonObject, type Json, type JsonObject } from "@tutti/model";
import { scalarText } from "./body.ts";

/** How a parameter's value becomes text: OpenAPI 3's words; Swagger 2's collection formats are translated into them. */
export interface ParameterStyle {
  readonly style: string;
  readonly explode: boolean;
}

const SEPARATORS: Readonly<Record<string, string>> = { spaceDelimited: " ", pipeDelimited: "|", tabDelimited: "\t" };

/** The style of a Swagger 2.0 parameter. Source: Swagger 2.0, `collectionFormat`. */
export function styleOfCollectionFormat(format: Json | undefined): ParameterStyle {
  switch (format) {
    case "multi":
      return { style: "form", explode: true };
    case "ssv":
      return { style: "spaceDelimited", explode: false };
    case "pipes":
      return { style: "pipeDelimited", explode: false };
    case "tsv":
      return { style: "tabDelimited", explode: false };
    default:
      return { style: "form", explode: false };
  }
}

/** Name and value pairs of a query or cookie parameter, not yet encoded. Source: OpenAPI 3.1, style values. */
export function queryPairs(name: string, value: Json, how: ParameterStyle): readonly (readonly [string, string])[] {
  if (value === null) return [];
  const separator = SEPARATORS[how.style] ?? ",";
  if (Array.isArray(value)) {
    const items = (value as readonly Json[]).map(scalarText);
    return how.explode && how.style === "form" ? items.map((item) => [name, item] as const) : [[name, items.join(separator)]];
  }
  if (!isJsonObject(value)) return [[name, scalarText(value)]];
  const members = membersOf(value);
  if (how.style === "deepObject") return members.map(([key, text]) => [`${name}[${key}]`, text] as const);
  if (how.explode) return members;
  return [[name, members.flat().join(separator)]];
}

/** The text of a path parameter, percent-encoded for its place. */
export function pathText(name: string, value: Json, how: ParameterStyle): string {
  const prefix = how.style === "label" ? "." : how.style === "matrix" ? ";" : "";
  const named = how.style === "matrix" ? `${encodePart(name)}=` : "";
  if (Array.isArray(value)) {
    const items = (value as readonly Json[]).map((item) => encodePart(scalarText(item)));
    if (!how.explode || how.style === "simple") return prefix + named + items.join(",");
    return items.map((item) => prefix + named + item).join("");
  }
  if (!isJsonObject(value)) return prefix + named + encodePart(scalarText(value));
  const members = membersOf(value).map(([key, text]) => [encodePart(key), encodePart(text)] as const);
  if (!how.explode) return prefix + named + members.flat().join(",");
  return prefix + members.map(([key, text]) => `${key}=${text}`).join(prefix === "" ? "," : prefix);
}

/** The text of a header parameter: always `simple`. */
export function headerText(value: Json, explode: boolean): string {
  if (Array.isArray(value)) return (value as readonly Json[]).map(scalarText).join(",");
  if (!isJsonObject(value)) return scalarText(value);
  return membersOf(value)
    .map(([key, text]) => (explode ? `${key}=${text}` : `${key},${text}`))
    .join(",");
}

function membersOf(value: JsonObject): readonly (readonly [string, string])[] {
  return Object.entries(value).map(([key, item]) => [key, scalarText(item)] as const);
}

/** Dots alone would be taken for a step up when the URL is put together; half a surrogate pair has no UTF-8. */
function encodePart(text: string): string {
  return /^\.{1,2}$/.test(text) ? text.replaceAll(".", "%2E") : encodeURIComponent(text.toWellFormed());
}
