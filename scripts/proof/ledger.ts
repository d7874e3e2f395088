import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { z } from "@tutti/connector-kit";

/** One run of a proof from its beginning to its end, with what it did and found. */
const Piece = z.strictObject({
  proof: z.string(),
  /** First and last seed, or number of the run; no two pieces of a proof share one. */
  from: z.int().nonnegative(),
  to: z.int().nonnegative(),
  /** The commit that was tried. */
  commit: z.string(),
  /** The goal's `countsFrom` at that time: the piece counts as long as the two are the same. */
  base: z.string(),
  /** When it ended, `2026-11-22T07:30:00Z`. */
  date: z.string(),
  seconds: z.int().nonnegative(),
  /** `violated`: something promised did not hold. `failed`: it ended wrong in another way (a control was not caught, a test broke). */
  verdict: z.enum(["passed", "violated", "failed"]),
  counts: z.record(z.string(), z.number()),
  /** What was found, and the command that repeats it. */
  finding: z.string().optional(),
  /** The commit that mended what was found. */
  mendedBy: z.string().optional(),
  /** What it was, when nothing of ours had to be mended. */
  explanation: z.string().optional(),
});
export type Piece = z.infer<typeof Piece>;

const Base = z.strictObject({
  /** Pieces of earlier code do not count. */
  commit: z.string(),
  /** Why the count begins there. */
  why: z.string(),
});

const Ledger = z.strictObject({ countsFrom: z.record(z.string(), Base), pieces: z.array(Piece) });
/** What `docs/proof.json` holds. Pieces are only added; what was found is never taken out again. */
export type Ledger = z.infer<typeof Ledger>;

/** @throws Error naming the place when the file is not what `writeLedger` writes, or two pieces claim the same seed. */
export function readLedger(file: string): Ledger {
  if (!existsSync(file)) return { countsFrom: {}, pieces: [] };
  const checked = Ledger.safeParse(JSON.parse(readFileSync(file, "utf8")));
  if (!checked.success)
    throw new Error(`${file}: ${checked.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; ")}`);
  const overlap = overlapIn(checked.data.pieces);
  if (overlap !== undefined)
    throw new Error(`${file}: two pieces of ${overlap.proof} have the seed ${overlap.seed}: one of them is not new`);
  return checked.data;
}

/** The first seed that two pieces of a proof share. */
export function overlapIn(pieces: readonly Piece[]): { readonly proof: string; readonly seed: number } | undefined {
  const last = new Map<string, number>();
  for (const { proof, from, to } of pieces.toSorted((left, right) => left.from - right.from)) {
    if (from <= (last.get(proof) ?? -1)) return { proof, seed: from };
    last.set(proof, to);
  }
  return undefined;
}

/** Replaces the file as a whole: a crash leaves the old one or the new one. */
export function writeLedger(file: string, ledger: Ledger): void {
  replaceFile(file, textOf(ledger));
}

/** One line a piece, so that two branches which add pieces can be merged by hand. */
function textOf({ countsFrom, pieces }: Ledger): string {
  const bases = Object.entries(countsFrom).map(([name, base]) => `    ${JSON.stringify(name)}: ${JSON.stringify(base)}`);
  const lines = pieces.map((piece) => `    ${JSON.stringify(piece)}`);
  return `{\n  "countsFrom": {\n${bases.join(",\n")}\n  },\n  "pieces": [\n${lines.join(",\n")}\n  ]\n}\n`;
}

export function replaceFile(file: string, text: string): void {
  const draft = `${file}.${process.pid}.draft`;
  const handle = openSync(draft, "w");
  try {
    writeFileSync(handle, text);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  renameSync(draft, file);
  const directory = openSync(dirname(file), "r");
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
