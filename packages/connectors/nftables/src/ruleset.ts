import { z } from "@tutti/connector-kit";
import { isJsonObject, type Json } from "@tutti/model";

const TableAnswer = z.object({ family: z.string(), name: z.string() });
const ChainAnswer = z.object({
  family: z.string(),
  table: z.string(),
  name: z.string(),
  type: z.string().optional(),
  hook: z.string().optional(),
  policy: z.string().optional(),
});
const SetAnswer = z.object({
  family: z.string(),
  table: z.string(),
  name: z.string(),
  /** A list for sets of several parts. */
  type: z.union([z.string(), z.array(z.string())]),
  flags: z.union([z.string(), z.array(z.string())]).default([]),
  "auto-merge": z.boolean().default(false),
  elem: z.array(z.json()).default([]),
});
const RuleAnswer = z.object({
  family: z.string(),
  table: z.string(),
  chain: z.string(),
  handle: z.int(),
  comment: z.string().default(""),
  expr: z.array(z.json()).default([]),
});
export type ChainAnswer = z.infer<typeof ChainAnswer>;
export type SetAnswer = z.infer<typeof SetAnswer>;
export type RuleAnswer = z.infer<typeof RuleAnswer>;

/** What `nft -j` lists, as far as this connector works with it. */
export interface Ruleset {
  readonly version: string;
  readonly tables: readonly z.infer<typeof TableAnswer>[];
  readonly chains: readonly ChainAnswer[];
  readonly sets: readonly SetAnswer[];
  /** In the order in which they stand in their chains. */
  readonly rules: readonly RuleAnswer[];
}

/** Undefined when the text is no such list. */
export function readRuleset(text: string): Ruleset | undefined {
  let answer: Json;
  try {
    answer = JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
  const items = isJsonObject(answer) ? answer["nftables"] : undefined;
  if (!Array.isArray(items)) return undefined;
  const found = { version: "", tables: [], chains: [], sets: [], rules: [] } as {
    version: string;
    tables: z.infer<typeof TableAnswer>[];
    chains: ChainAnswer[];
    sets: SetAnswer[];
    rules: RuleAnswer[];
  };
  for (const item of items) {
    // Parsed JSON holds JSON.
    if (!take(found, item as Json)) return undefined;
  }
  // Every list begins with the version.
  return found.version === "" ? undefined : found;
}

function take(
  found: { version: string; tables: z.infer<typeof TableAnswer>[]; chains: ChainAnswer[]; sets: SetAnswer[]; rules: RuleAnswer[] },
  item: Json,
): boolean {
  if (!isJsonObject(item)) return false;
  const { metainfo, table, chain, set, rule } = item;
  if (metainfo !== undefined) {
    const version = isJsonObject(metainfo) ? metainfo["version"] : undefined;
    found.version = typeof version === "string" ? version : "";
    return found.version !== "";
  }
  return (
    keep(found.tables, TableAnswer, table) &&
    keep(found.chains, ChainAnswer, chain) &&
    keep(found.sets, SetAnswer, set) &&
    keep(found.rules, RuleAnswer, rule)
  );
}

/** @returns false when it is there and not what it should be. */
function keep<Item>(items: Item[], schema: z.ZodType<Item>, value: Json | undefined): boolean {
  if (value === undefined) return true;
  const parsed = schema.safeParse(value);
  if (parsed.success) items.push(parsed.data);
  return parsed.success;
}
