import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { type Bench, freshToken, must, secretsOf } from "./bench.ts";
import type { Health } from "../provider.ts";
import type { ConnectorLaw, FunctionLaw } from "./laws.ts";

/** What can be seen of a connector without a fault: its description, schemas, health. */
export const SHAPE_LAWS: readonly (FunctionLaw | ConnectorLaw)[] = [
  {
    of: "connector",
    name: "the suite has a case for each function, and a credential to look for",
    when: () => true,
    check: async (bench) => {
      const missing = Object.keys(bench.connector.functions).filter((name) => bench.under.functions[name] === undefined);
      must(missing.length === 0, `the description has a case for ${missing.join(", ")}`);
      const { provider } = await bench.plain();
      must(
        bench.connector.credentials === undefined || secretsOf(provider).length > 0,
        "the provider's credentials hold a text that can be looked for",
      );
    },
  },
  {
    of: "connector",
    name: "a provider that works is healthy, and one that does not says what is wrong and the way out",
    when: (bench) => bench.connector.check !== undefined,
    check: checkHealth,
  },
  {
    of: "function",
    name: "input and output have a JSON Schema, and values survive JSON",
    when: () => true,
    check: async (bench, name) => {
      const call = await bench.prepare(name);
      for (const [what, schema] of [
        ["input", call.declared.input],
        ["output", call.declared.output],
      ] as const) {
        const described = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
        must(Object.keys(described).length > 1, `the ${what} of ${name} has a JSON Schema that says something`);
      }
      const input: unknown = JSON.parse(JSON.stringify(call.input));
      must(isDeepStrictEqual(input, call.input), `the input of ${name} survives JSON`);
      const output = await bench.run(call);
      const again: unknown = JSON.parse(JSON.stringify(output));
      must(isDeepStrictEqual(again, output), `the output of ${name} survives JSON`);
    },
  },
];

async function checkHealth(bench: Bench): Promise<void> {
  const ask = async (kind: "none" | "down" | "denied" | "garbage" | "stranger"): Promise<Health> => {
    const target = await bench.open({ kind });
    const attempt = bench.attempt(freshToken(), target, 1);
    const health = await bench.watched(attempt, async () => bench.connector.check?.(attempt));
    must(health !== undefined, "the check says something");
    return health;
  };
  const well = await ask("none");
  must(well.status !== "unhealthy", `a provider that works is not ${well.status}`);
  for (const kind of ["down", "denied", "garbage", "stranger"] as const) {
    const ill = await ask(kind).catch((error: unknown) => error);
    if (ill instanceof Error) {
      must(
        ill.name === "ConnectorError" && ill.message !== "",
        `the check of a target that is ${kind} fails as ConnectorError: ${String(ill)}`,
      );
      continue;
    }
    // What is no error is an answer.
    const health = ill as Health;
    must(health.status === "unhealthy", `a target that is ${kind} is unhealthy, not ${health.status}`);
    must(health.problem !== "" && health.wayOut !== "", `of a target that is ${kind} the check names problem and way out`);
  }
}
