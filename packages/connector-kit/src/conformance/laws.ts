import { Bench } from "./bench.ts";
import type { ConnectorUnderTest } from "./connector-under-test.ts";
import { EFFECT_LAWS } from "./effect-laws.ts";
import { FAILURE_LAWS } from "./failure-laws.ts";
import { SHAPE_LAWS } from "./shape-laws.ts";

/** One promise of a connector, or of one of its functions; `run` throws when it does not hold. */
export interface Law {
  readonly name: string;
  run(): Promise<void>;
}

/** A law that is about each function it applies to, or about the connector. */
export interface FunctionLaw {
  readonly of: "function";
  readonly name: string;
  /** Whether it applies to this function. */
  readonly when: (bench: Bench, name: string) => boolean;
  readonly check: (bench: Bench, name: string) => Promise<void>;
}
export interface ConnectorLaw {
  readonly of: "connector";
  readonly name: string;
  readonly when: (bench: Bench) => boolean;
  readonly check: (bench: Bench) => Promise<void>;
}

const LAWS: readonly (FunctionLaw | ConnectorLaw)[] = [...SHAPE_LAWS, ...EFFECT_LAWS, ...FAILURE_LAWS];

/**
 * The conformance suite: what every connector promises, each function by each law that applies to it. Any test runner takes it:
 * `for (const law of connectorLaws(described)) test(law.name, law.run)`.
 *
 * The laws change the target, one after the other, and clean up through the description. They must not run at the same time.
 */
export function connectorLaws(under: ConnectorUnderTest): readonly Law[] {
  const asked = new Bench(under);
  return LAWS.flatMap((law): Law[] => {
    if (law.of === "connector") return law.when(asked) ? [lawOf(under, law.name, (bench) => law.check(bench))] : [];
    return Object.keys(under.connector.functions)
      .filter((name) => law.when(asked, name))
      .map((name) => lawOf(under, `${name}: ${law.name}`, (bench) => law.check(bench, name)));
  });
}

function lawOf(under: ConnectorUnderTest, name: string, check: (bench: Bench) => Promise<void>): Law {
  return {
    name,
    run: async () => {
      const bench = new Bench(under);
      try {
        await check(bench);
      } finally {
        await bench.close();
      }
    },
  };
}
