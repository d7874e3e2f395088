import type { Goal } from "./goals.ts";
import type { Ledger, Piece } from "./ledger.ts";

/** How far a goal is. */
export interface Standing {
  readonly goal: Goal;
  /** Of the pieces that count. */
  readonly sums: Readonly<Record<string, number>>;
  readonly reached: number;
  readonly missing: number;
  /** Pieces that count: passed, and of code since the base. */
  readonly pieces: number;
  readonly seconds: number;
  /** Found, and neither mended nor explained; they are open whatever code they belong to. */
  readonly open: readonly Piece[];
  /** All that was ever found. */
  readonly found: readonly Piece[];
}

/** Whether the piece is part of the sums. What a piece with a finding did besides does not count. */
export function isCounted(ledger: Ledger, piece: Piece): boolean {
  return piece.verdict === "passed" && piece.base === ledger.countsFrom[piece.proof]?.commit;
}

export function standingOf(goal: Goal, ledger: Ledger): Standing {
  const mine = ledger.pieces.filter((piece) => piece.proof === goal.name);
  const isOpen = (piece: Piece): boolean => piece.verdict !== "passed" && piece.mendedBy === undefined && piece.explanation === undefined;
  const begin = goal.isInARow === true ? mine.findLastIndex(isOpen) + 1 : 0;
  const counted = mine.slice(begin).filter((piece) => isCounted(ledger, piece));
  const sums: Record<string, number> = {};
  for (const piece of counted) for (const [name, count] of Object.entries(piece.counts)) sums[name] = (sums[name] ?? 0) + count;
  const reached = goal.reached(sums);
  const found = mine.filter((piece) => piece.verdict !== "passed");
  return {
    goal,
    sums,
    reached,
    missing: Math.max(0, goal.target - reached),
    pieces: counted.length,
    seconds: counted.reduce((sum, piece) => sum + piece.seconds, 0),
    open: found.filter(isOpen),
    found,
  };
}

/** The first seed that no piece has had, whatever became of it. */
export function nextSeed(goal: Goal, ledger: Ledger): number {
  const used = ledger.pieces.filter((piece) => piece.proof === goal.name).map((piece) => piece.to + 1);
  return Math.max(goal.firstSeed, ...used);
}

/** `12,345,678` */
export function grouped(number: number): string {
  return String(number).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** One line for people: what there is, what is missing, and how long that would take as it went so far. */
export function describeStanding({ goal, reached, missing, pieces, seconds, open }: Standing): string {
  const line = `${goal.name.padEnd(8)} ${grouped(reached)} of ${grouped(goal.target)} ${goal.unit} in ${pieces} pieces`;
  const minutes = reached === 0 ? undefined : Math.ceil(((seconds / reached) * missing) / 60);
  const rest =
    missing === 0 ? "reached" : `missing ${grouped(missing)}${minutes === undefined ? "" : `, about ${grouped(minutes)} minutes`}`;
  return `${line}; ${rest}${open.length === 0 ? "" : `; ${open.length} findings open`}`;
}
