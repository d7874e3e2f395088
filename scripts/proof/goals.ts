/** What a piece of work of a proof is, and how much of it there shall be. */
export interface Goal {
  /** As its program calls itself in its `COUNTS` line. */
  readonly name: string;
  /** What is added up, in a few words: `steps`, `kills`. */
  readonly unit: string;
  readonly target: number;
  /** How much of it the sums of all pieces make. */
  readonly reached: (sums: Readonly<Record<string, number>>) => number;
  /** The first seed; CI uses smaller ones or draws its own. */
  readonly firstSeed: number;
  /** Seeds that one piece uses up. */
  readonly seedsPerPiece: number;
  /** Arguments of `scripts/run.mjs` for the piece that begins at the seed. */
  readonly command: (seed: number) => readonly string[];
  /** Only pieces after the last one that found something nobody has explained count: they are to pass in a row. */
  readonly isInARow?: true;
  /** Some ten times what a piece takes on a quiet machine with two cores, since it may run at the lowest priority beside other work; then it hangs. */
  readonly minutesMax: number;
}

const figure =
  (name: string) =>
  (sums: Readonly<Record<string, number>>): number =>
    sums[name] ?? 0;

/** Below it lie the seeds of CI and of the controls. */
const FIRST_SEED = 1001;
const SEEDS_PER_SIM = 300;
const WORKFLOWS_PER_RESTART = 50;

/** As large as a piece in CI, so that both mean the same; all of them together take a night. */
export const GOALS: readonly Goal[] = [
  {
    name: "sim",
    unit: "steps",
    target: 50_000_000,
    reached: figure("steps"),
    firstSeed: FIRST_SEED,
    seedsPerPiece: SEEDS_PER_SIM,
    command: (seed) => ["tests/sim/main.ts", "--seeds", String(SEEDS_PER_SIM), "--from", String(seed)],
    minutesMax: 40,
  },
  {
    name: "crash",
    unit: "kills",
    target: 2_000,
    reached: figure("kills"),
    firstSeed: FIRST_SEED,
    seedsPerPiece: 1,
    command: (seed) => ["tests/crash/main.ts", "--kills", "100", "--seed", String(seed)],
    minutesMax: 45,
  },
  {
    name: "power",
    unit: "cuts",
    target: 500,
    reached: figure("cuts"),
    firstSeed: FIRST_SEED,
    seedsPerPiece: 1,
    command: (seed) => ["tests/power/main.ts", "--cuts", "50", "--seed", String(seed)],
    minutesMax: 20,
  },
  {
    name: "disk",
    unit: "disk operations",
    target: 500_000,
    reached: figure("operations"),
    firstSeed: FIRST_SEED,
    seedsPerPiece: 1,
    command: (seed) => ["tests/disk/main.ts", "--operations", "50000", "--seed", String(seed)],
    minutesMax: 20,
  },
  {
    name: "restart",
    unit: "random workflows × 5",
    target: 1_000,
    reached: figure("workflows"),
    firstSeed: FIRST_SEED,
    seedsPerPiece: WORKFLOWS_PER_RESTART,
    command: (seed) => ["tests/restart/main.ts", "--workflows", String(WORKFLOWS_PER_RESTART), "--seed", String(seed)],
    minutesMax: 20,
  },
  {
    name: "fuzz",
    unit: "inputs of the target that had fewest",
    target: 1_000_000,
    reached: (sums) => {
      const perTarget = Object.entries(sums).flatMap(([name, count]) => (name.startsWith("inputs-") ? [count] : []));
      return perTarget.length === 0 ? 0 : Math.min(...perTarget);
    },
    firstSeed: FIRST_SEED,
    seedsPerPiece: 1,
    command: (seed) => ["tests/fuzz/main.ts", "--inputs", "100000", "--seed", String(seed)],
    minutesMax: 50,
  },
  {
    name: "flakes",
    unit: "whole checks in a row",
    target: 20,
    reached: figure("checks"),
    firstSeed: 1,
    seedsPerPiece: 1,
    isInARow: true,
    command: () => ["scripts/check.ts"],
    minutesMax: 120,
  },
];
