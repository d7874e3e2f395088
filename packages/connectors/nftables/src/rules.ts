import { z } from "@tutti/connector-kit";
import { isJsonObject } from "@tutti/model";
import { readComment } from "./names.ts";
import type { RuleAnswer } from "./ruleset.ts";

/** A rule without what changes by itself (counters). */
export const Rule = z.strictObject({
  family: z.string(),
  table: z.string(),
  chain: z.string(),
  handle: z.int(),
  /** Of the call that made it; null for those of others. */
  token: z.string().nullable(),
  comment: z.string().nullable(),
  /** As nft says it. */
  statements: z.array(z.json()),
});
export type Rule = z.infer<typeof Rule>;
type Statement = Rule["statements"][number];

export function ruleOf({ family, table, chain, handle, comment, expr }: RuleAnswer): Rule {
  return { family, table, chain, handle, ...readComment(comment), statements: expr.map(withoutCounts) };
}

/** Ours by their token, which is known before they are made; those of others by nft's handle. */
export function ruleId({
  family,
  table,
  chain,
  handle,
  token,
}: Pick<Rule, "family" | "table" | "chain" | "token"> & { readonly handle?: number }): string {
  return `${family} ${table} ${chain} ${token ?? `#${handle}`}`;
}

export const Counters = z.strictObject({ packets: z.int(), bytes: z.int() });

/** What a rule has counted; undefined when it counts nothing. */
export function countersOf({ expr }: RuleAnswer): z.infer<typeof Counters> | undefined {
  for (const statement of expr) {
    const counter = isJsonObject(statement) ? statement["counter"] : undefined;
    const parsed = Counters.safeParse(counter);
    if (parsed.success) return parsed.data;
  }
  return undefined;
}

function withoutCounts(statement: Statement): Statement {
  return isJsonObject(statement) && isJsonObject(statement["counter"]) ? { counter: null } : statement;
}
