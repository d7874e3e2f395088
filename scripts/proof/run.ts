import { type Ledger, type Piece, readLedger, writeLedger } from "./ledger.ts";
import type { Goal } from "./goals.ts";
import type { PieceResult } from "./piece.ts";
import { describeStanding, nextSeed, standingOf } from "./sums.ts";

/** So many pieces in a row that find something or do not come to their end, and this proof is left alone until somebody has looked. */
const BAD_IN_A_ROW_MAX = 2;

export interface ProofDeps {
  readonly ledgerFile: string;
  /** The commit whose code is tried now. @throws Error when files are changed, or the base is no part of its history. */
  readonly commit: (base: string) => string;
  readonly carryOut: (goal: Goal, seed: number) => Promise<PieceResult>;
  readonly now: () => Date;
  readonly print: (line: string) => void;
  /** After each piece that was written down. */
  readonly written: (ledger: Ledger) => void;
  readonly signal: AbortSignal;
}

export interface ProofLimits {
  /** No piece begins that would, as long as the last one, end after it. */
  readonly minutes: number | undefined;
  /** So many pieces of each proof, also beyond its goal. */
  readonly pieces: number | undefined;
}

/** Carries out pieces of the goals in turn until each is reached or time is over. @returns how many pieces found something. */
export async function prove(goals: readonly Goal[], limits: ProofLimits, deps: ProofDeps): Promise<number> {
  const startedAt = deps.now().getTime();
  const left = new Map(goals.map((goal) => [goal, { pieces: limits.pieces ?? Infinity, bad: 0, seconds: 0 }]));
  let findings = 0;
  while (left.size > 0) {
    for (const [goal, state] of left) {
      const ledger = readLedger(deps.ledgerFile);
      const isReached = limits.pieces === undefined && standingOf(goal, ledger).missing === 0;
      const minutesLeft = (limits.minutes ?? Infinity) - (deps.now().getTime() - startedAt) / 60_000;
      if (isReached || state.pieces === 0 || minutesLeft <= state.seconds / 60 || deps.signal.aborted) {
        left.delete(goal);
        continue;
      }
      const { isGood, isFinding, seconds } = await onePiece(goal, ledger, deps);
      if (isFinding) findings += 1;
      state.pieces -= 1;
      state.seconds = seconds;
      state.bad = isGood ? 0 : state.bad + 1;
      if (state.bad < BAD_IN_A_ROW_MAX) continue;
      deps.print(`${goal.name}: ${state.bad} pieces in a row did not pass: it goes on when somebody has looked`);
      left.delete(goal);
    }
  }
  return findings;
}

async function onePiece(
  goal: Goal,
  ledger: Ledger,
  deps: ProofDeps,
): Promise<{ readonly isGood: boolean; readonly isFinding: boolean; readonly seconds: number }> {
  const base = ledger.countsFrom[goal.name]?.commit;
  if (base === undefined) throw new Error(`${deps.ledgerFile}: there is no countsFrom.${goal.name}: say from which commit on pieces count`);
  const commit = deps.commit(base);
  const from = nextSeed(goal, ledger);
  const startedAt = deps.now().getTime();
  const result = await deps.carryOut(goal, from);
  const seconds = Math.round((deps.now().getTime() - startedAt) / 1000);
  if (result.kind !== "counted") {
    deps.print(`${goal.name} from seed ${from}: ${result.kind === "skipped" ? "skipped" : "cut off, counts nothing"}: ${result.why}`);
    return { isGood: false, isFinding: false, seconds };
  }
  if (deps.commit(base) !== commit) throw new Error(`The commit changed while a piece of ${goal.name} ran: nobody knows what was tried.`);
  const { verdict, counts, finding } = result;
  const piece: Piece = {
    proof: goal.name,
    from,
    to: from + goal.seedsPerPiece - 1,
    commit,
    base,
    date: `${deps.now().toISOString().slice(0, 19)}Z`,
    seconds,
    verdict,
    counts,
    ...(finding !== undefined && { finding }),
  };
  // Read anew: somebody may have written a reason into it meanwhile.
  const now = readLedger(deps.ledgerFile);
  const next = { ...now, pieces: [...now.pieces, piece] };
  writeLedger(deps.ledgerFile, next);
  deps.written(next);
  deps.print(`${verdict === "passed" ? "ok  " : verdict.toUpperCase()} seeds ${from} to ${piece.to}, ${seconds} s`);
  if (finding !== undefined) deps.print(finding);
  deps.print(describeStanding(standingOf(goal, next)));
  return { isGood: verdict === "passed", isFinding: verdict !== "passed", seconds };
}
