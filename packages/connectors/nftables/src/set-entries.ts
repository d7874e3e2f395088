import { z } from "@tutti/connector-kit";
import { isJsonObject, type Json } from "@tutti/model";
import { addressOf, readComment, textOf } from "./names.ts";
import { familyOfSet } from "./rule-match.ts";
import type { Ruleset, SetAnswer } from "./ruleset.ts";

/** An entry of a set of addresses without what changes by itself (the time that it has left). */
export const SetEntry = z.strictObject({
  family: z.string(),
  table: z.string(),
  set: z.string(),
  value: z.string(),
  timeoutSeconds: z.int().nullable(),
  /** Of the call that made it; null for those of others. */
  token: z.string().nullable(),
  comment: z.string().nullable(),
});
export type SetEntry = z.infer<typeof SetEntry>;

export function entryId({ family, table, set, value }: Pick<SetEntry, "family" | "table" | "set" | "value">): string {
  return `${family} ${table} ${set} ${value}`;
}

/** The entries of all sets of addresses. */
export function entriesIn({ sets }: Ruleset): readonly SetEntry[] {
  return sets.filter((set) => familyOfSet(set) !== undefined).flatMap(entriesOf);
}

export function entriesOf({ family, table, name: set, elem }: SetAnswer): readonly SetEntry[] {
  return elem.map((element) => {
    const parts = isJsonObject(element) && isJsonObject(element["elem"]) ? element["elem"] : { val: element };
    const { val, timeout, comment } = parts as { readonly val?: Json; readonly timeout?: Json; readonly comment?: Json };
    return {
      family,
      table,
      set,
      value: valueText(val ?? null),
      timeoutSeconds: typeof timeout === "number" ? timeout : null,
      ...readComment(typeof comment === "string" ? comment : ""),
    };
  });
}

/** As it is written in inputs; a range, which an input can't name, with a dash. */
function valueText(value: Json): string {
  if (typeof value === "string") return value;
  if (isJsonObject(value)) {
    const { prefix, range } = value;
    if (isJsonObject(prefix)) return `${String(prefix["addr"] as string)}/${String(prefix["len"] as number)}`;
    if (Array.isArray(range)) return range.map((end: Json) => String(end as string)).join("-");
  }
  return JSON.stringify(value);
}

/** An address or network as nft's JSON has it, and as it is listed. */
export function valueOf(
  text: string,
): { readonly json: Json; readonly text: string; readonly family: 4 | 6; readonly isNetwork: boolean } | undefined {
  const address = addressOf(text);
  if (address === undefined) return undefined;
  const { family, length } = address;
  const json = length === undefined ? address.address : { prefix: { addr: address.address, len: length } };
  return { json, text: textOf(address), family, isNetwork: length !== undefined };
}
