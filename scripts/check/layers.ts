/** One part of the check: a command that says by its exit code, and by a report if it writes one, what became of it. */
export interface Layer {
  readonly name: string;
  /** Arguments of `scripts/run.mjs`. */
  readonly command: readonly string[];
  /** Files without which the layer cannot mean anything: a missing one fails it, so that nothing is passed over in silence. */
  readonly needs: readonly string[];
  /** When time is up the layer's processes are ended and it has failed: a check that hangs says nothing. About ten times what it takes on a quiet machine: it has to hold on one that is full. */
  readonly minutesMax: number;
  /** It starts and stops systems of the lab: no two such layers at a time. */
  readonly usesLab?: true;
}

const vitest = (project: string, ...filters: readonly string[]): readonly string[] => ["vitest", "run", "--project", project, ...filters];

/** Layers that run side by side: nearly all wait half of their time, for machines that boot, disks, timers and dead processes. */
export const LANES = 2;

/** Everything that has to hold: what is cheap first, then the longest first, so that the lanes end together. Some 25 minutes on two cores, 40 at most. */
export const LAYERS: readonly Layer[] = [
  { name: "format", command: ["oxfmt", "--check", "."], needs: [".oxfmtrc.json"], minutesMax: 10 },
  { name: "lint", command: ["oxlint", "--type-aware", "--deny-warnings", "."], needs: [".oxlintrc.json"], minutesMax: 10 },
  { name: "types", command: ["tsc", "--noEmit"], needs: ["tsconfig.json"], minutesMax: 10 },
  { name: "unused", command: ["knip"], needs: ["knip.json"], minutesMax: 10 },
  { name: "generated", command: ["scripts/generate-docs.ts", "--check"], needs: ["scripts/generate-docs.ts"], minutesMax: 10 },
  { name: "unit", command: vitest("unit"), needs: ["vitest.config.ts"], minutesMax: 20 },
  { name: "quickstart", command: ["examples/quickstart/start.ts"], needs: ["examples/quickstart/start.ts"], minutesMax: 10 },
  { name: "deploy-faults", command: vitest("exhaustive", "tests/deploy-server"), needs: ["tests/deploy-server"], minutesMax: 80 },
  { name: "integration", command: vitest("integration"), needs: ["vitest.config.ts"], minutesMax: 50 },
  { name: "lab-walk", command: ["lab/deploy-walk.ts"], needs: ["lab/deploy-walk.ts"], minutesMax: 60, usesLab: true },
  { name: "sim", command: ["tests/sim/main.ts", "--seeds", "300"], needs: ["tests/sim/main.ts"], minutesMax: 40 },
  { name: "fuzz", command: ["tests/fuzz/main.ts", "--inputs", "100000"], needs: ["tests/fuzz/main.ts"], minutesMax: 50 },
  { name: "crash", command: ["tests/crash/main.ts", "--kills", "300"], needs: ["tests/crash/main.ts"], minutesMax: 50 },
  {
    name: "suite",
    command: ["tests/conformance/main.ts", "suite"],
    needs: ["tests/conformance/suite", "tests/conformance/suite.ts"],
    minutesMax: 30,
  },
  { name: "planted", command: ["tests/planted/main.ts"], needs: ["tests/planted/main.ts"], minutesMax: 40 },
  { name: "lab-deploy", command: ["lab/deploy.ts"], needs: ["lab/deploy.ts"], minutesMax: 40, usesLab: true },
  { name: "bad-input", command: vitest("exhaustive", "tests/bad-input"), needs: ["tests/bad-input"], minutesMax: 20 },
  { name: "canary", command: vitest("exhaustive", "tests/canary"), needs: ["tests/canary"], minutesMax: 20 },
  { name: "restart", command: vitest("exhaustive", "tests/restart"), needs: ["tests/restart"], minutesMax: 30 },
  {
    name: "restart-random",
    command: ["tests/restart/main.ts", "--workflows", "50"],
    needs: ["tests/restart/main.ts", "tests/restart/worker.ts"],
    minutesMax: 15,
  },
  {
    name: "container",
    command: vitest("exhaustive", "tests/container"),
    needs: ["tests/container", "lab/docker.sh"],
    minutesMax: 20,
    usesLab: true,
  },
  {
    name: "conformance",
    command: ["tests/conformance/main.ts", "ctk", "examples", "schema-agreement", "linter", "jq"],
    needs: [
      ...["main", "ctk", "examples", "schema-agreement", "linter", "jq"].map((part) => `tests/conformance/${part}.ts`),
      "tests/conformance/examples/table.yaml",
    ],
    minutesMax: 15,
  },
  { name: "power", command: ["tests/power/main.ts", "--cuts", "30"], needs: ["tests/power/main.ts"], minutesMax: 15 },
  { name: "disk", command: ["tests/disk/main.ts", "--operations", "20000"], needs: ["tests/disk/main.ts"], minutesMax: 15 },
  { name: "e2e", command: vitest("e2e"), needs: ["vitest.config.ts"], minutesMax: 15 },
  { name: "quickstart-again", command: ["examples/quickstart/start.ts"], needs: ["examples/quickstart/start.ts"], minutesMax: 10 },
];
