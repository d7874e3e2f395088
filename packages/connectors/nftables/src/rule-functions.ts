import { type Attempt, type ConnectorFunction, parseInput, z } from "@tutti/connector-kit";
import type { JsonObject } from "@tutti/model";
import { ChainName, Comment, commentOf, Family, TableName } from "./names.ts";
import { ANSWER_MS, Nft, type NftEnvironment } from "./nft.ts";
import { Match, MatchProblem, ruleStatements, Verdict } from "./rule-match.ts";
import { Counters, countersOf, Rule, ruleId, ruleOf } from "./rules.ts";
import type { Ruleset } from "./ruleset.ts";

/** Each attempt is a process. */
export const PROCESSES_MAX = 8;
const TIMES = { requestTimeoutMs: ANSWER_MS, settleMs: 0, concurrencyMax: PROCESSES_MAX };

const Place = { family: Family, table: TableName, chain: ChainName };
const CreateInput = z.strictObject({
  ...Place,
  match: Match,
  verdict: Verdict.meta({ description: "What becomes of such packets" }),
  position: z.enum(["first", "last"]).default("last").meta({ description: "Where in the chain: the first rule that decides, decides" }),
  counter: z.boolean().default(true).meta({ description: "Count the packets" }),
  comment: Comment.optional(),
});
const CreateOutput = z.strictObject({ family: z.string(), table: z.string(), chain: z.string(), token: z.string() });
const DeleteInput = z
  .strictObject({
    ...Place,
    token: z
      .string()
      .regex(/^tok_[0-9a-f]{32}$/, "a token")
      .optional()
      .meta({ description: "The rule that the call with this token made" }),
    handle: z.int().min(1).optional().meta({ description: "Or the rule with this handle, as `firewall-rule.list` tells it" }),
  })
  .refine(({ token, handle }) => (token === undefined) !== (handle === undefined), "name token or handle");
const DeleteOutput = z.strictObject({ family: z.string(), table: z.string(), chain: z.string() });
const ListInput = z.strictObject({ family: Family, table: TableName, chain: ChainName.optional() });
const ListOutput = z.strictObject({ rules: z.array(Rule.extend({ counters: Counters.nullable() })) });

export function ruleFunctions(environment: NftEnvironment): Readonly<Record<string, ConnectorFunction>> {
  /** Findable: the rule's comment holds the token. nft takes any number of equal rules, so an absent one is believed when the request's time is over. */
  const create: ConnectorFunction = {
    ...TIMES,
    title: "Add a rule to a chain",
    input: CreateInput,
    output: CreateOutput,
    effect: "findable",
    creates: "firewall-rule",
    undo: {
      call: "firewall-rule.delete:1",
      with: {
        family: "${ .output.family }",
        table: "${ .output.table }",
        chain: "${ .output.chain }",
        token: "${ .output.token }",
      },
    },
    run: async (given, attempt) => {
      const nft = new Nft(environment, attempt);
      const { rule, handle, output, position } = await planned(nft, given, attempt);
      // An earlier attempt has made it, perhaps of an input that was corrected since.
      const verb = handle !== undefined ? "replace" : position === "last" ? "add" : "insert";
      const end = await nft.transaction([{ [verb]: { rule: handle === undefined ? rule : { ...rule, handle } } }]);
      if (end !== "done") throw nft.refusal(`The chain ${output.chain} or a set of the rule has been deleted meanwhile.`);
      return output;
    },
    find: async (given, attempt) => {
      const { family, table, chain } = parseInput(CreateInput, given);
      const listed = await new Nft(environment, attempt).table(family, table);
      const rule = listed?.rules.map(ruleOf).find((each) => each.chain === chain && each.token === attempt.token);
      return rule === undefined ? undefined : { family, table, chain, token: attempt.token };
    },
    preview: async (given, attempt) => {
      const { handle, output } = await planned(new Nft(environment, attempt), given, attempt);
      if (handle !== undefined) return { effects: [], output };
      // nft may write statements in another way than they were given, and the handle is its choice.
      const after = { ...output, comment: parseInput(CreateInput, given).comment ?? null };
      return { effects: [{ kind: "create", resource: "firewall-rule", name: ruleId(output), after, isReversible: true }], output };
    },
  };

  /** Idempotent: what is gone is gone. Its place among the others is not kept, so it can't be undone. */
  const remove: ConnectorFunction = {
    ...TIMES,
    title: "Delete a rule",
    input: DeleteInput,
    output: DeleteOutput,
    effect: "idempotent",
    deletes: "firewall-rule",
    irreversible: true,
    run: async (given, attempt) => {
      const nft = new Nft(environment, attempt);
      const { output, rules } = await rulesToDelete(nft, given);
      const { family, table, chain } = output;
      if (rules.length === 0) return output;
      const end = await nft.transaction(rules.map(({ handle }) => ({ delete: { rule: { family, table, chain, handle } } })));
      // Somebody was faster: whether with all of them, shows the next look.
      if (end !== "done" && (await rulesToDelete(nft, given)).rules.length > 0)
        throw nft.refusal(`Somebody changes the chain ${chain} at the same time: the rule is still there. Delete it once more.`);
      return output;
    },
    preview: async (given, attempt) => {
      const { output, rules } = await rulesToDelete(new Nft(environment, attempt), given);
      return {
        effects: rules.map((rule) => ({
          kind: "delete" as const,
          resource: "firewall-rule",
          name: ruleId(rule),
          before: rule,
          isReversible: false,
        })),
        output,
      };
    },
  };

  const list: ConnectorFunction = {
    ...TIMES,
    title: "List the rules of a table or chain, with what they have counted",
    input: ListInput,
    output: ListOutput,
    effect: "read",
    run: async (given, attempt) => {
      const { family, table, chain } = parseInput(ListInput, given);
      const nft = new Nft(environment, attempt);
      const listed = await tableOf(nft, family, table);
      const rules = listed.rules.filter((rule) => chain === undefined || rule.chain === chain);
      return { rules: rules.map((rule) => ({ ...ruleOf(rule), counters: countersOf(rule) ?? null })) };
    },
  };

  return { "firewall-rule.create:1": create, "firewall-rule.delete:1": remove, "firewall-rule.list:1": list };
}

/** @throws ConnectorError `validation`: there is no such table. */
export async function tableOf(nft: Nft, family: string, table: string): Promise<Ruleset> {
  const listed = await nft.table(family, table);
  if (listed === undefined) throw nft.refusal(`There is no table ${family} ${table}; \`firewall-table.list\` tells which there are.`);
  return listed;
}

async function planned(
  nft: Nft,
  given: JsonObject,
  attempt: Attempt,
): Promise<{
  readonly rule: JsonObject;
  /** Of the rule that the call has made already. */
  readonly handle: number | undefined;
  readonly position: "first" | "last";
  readonly output: z.infer<typeof CreateOutput>;
}> {
  const input = parseInput(CreateInput, given);
  const { family, table, chain, position } = input;
  const listed = await tableOf(nft, family, table);
  if (!listed.chains.some(({ name }) => name === chain)) throw nft.refusal(`The table ${family} ${table} has no chain ${chain}.`);
  const handle = listed.rules.map(ruleOf).find((each) => each.chain === chain && each.token === attempt.token)?.handle;
  try {
    const expr = [...ruleStatements(input, listed.sets)];
    const comment = commentOf(attempt.token, input.comment ?? null);
    return { rule: { family, table, chain, comment, expr }, handle, position, output: { family, table, chain, token: attempt.token } };
  } catch (error) {
    if (error instanceof MatchProblem) throw nft.refusal(error.message);
    throw error;
  }
}

/** The rules that the input means, as they are now: handles are taken from a fresh list, since a table that was made anew counts from 1. */
async function rulesToDelete(
  nft: Nft,
  given: JsonObject,
): Promise<{ readonly output: z.infer<typeof DeleteOutput>; readonly rules: readonly Rule[] }> {
  const { family, table, chain, token, handle } = parseInput(DeleteInput, given);
  const listed = await nft.table(family, table);
  const rules = (listed?.rules ?? [])
    .map(ruleOf)
    .filter((rule) => rule.chain === chain && (token === undefined ? rule.handle === handle : rule.token === token));
  return { output: { family, table, chain }, rules };
}
