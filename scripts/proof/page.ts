import { GOALS } from "./goals.ts";
import type { Ledger, Piece } from "./ledger.ts";
import { grouped, isCounted, type Standing, standingOf } from "./sums.ts";

const BEGIN = "<!-- sums: from docs/proof.json by `npm run generate`; change nothing between here -->";
const END = "<!-- and here -->";
/** Figures that are no sums over pieces. */
const NO_SUM = /Ms$|-ms$|^violations$/;

/** The page with its block renewed. @throws Error when the page has no place for it. */
export function withSums(page: string, ledger: Ledger): string {
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin === -1 || end < begin)
    throw new Error(`docs/proof.md has lost the lines "${BEGIN}" and "${END}" between which the sums stand.`);
  return `${page.slice(0, begin + BEGIN.length)}\n\n${blockOf(ledger)}\n${page.slice(end)}`;
}

function blockOf(ledger: Ledger): string {
  const standings = GOALS.map((goal) => standingOf(goal, ledger));
  const counted = standings.filter((standing) => standing.pieces > 0);
  const found = standings.flatMap((standing) => standing.found);
  return [
    "| proof | reached | goal | pieces | hours | last piece | counted since |",
    "| --- | --- | --- | --- | --- | --- | --- |",
    ...standings.map((standing) => rowOf(standing, ledger)),
    "",
    ...(counted.length === 0 ? [] : [...counted.map(besides), ""]),
    ...(found.length === 0 ? ["No piece has found anything."] : foundTable(found)),
    "",
  ].join("\n");
}

function rowOf({ goal, reached, pieces, seconds }: Standing, ledger: Ledger): string {
  const last = ledger.pieces.findLast((piece) => piece.proof === goal.name && isCounted(ledger, piece));
  const base = ledger.countsFrom[goal.name];
  return `| \`${[
    `${goal.name}\``,
    `${grouped(reached)} ${goal.unit}`,
    grouped(goal.target),
    grouped(pieces),
    (seconds / 3600).toFixed(1),
    last === undefined ? "–" : `${last.date.slice(0, 10)}, \`${last.commit}\``,
    base === undefined ? "–" : `\`${base.commit}\`: ${base.why}`,
  ].join(" | ")} |`;
}

function besides({ goal, sums }: Standing): string {
  const figures = Object.entries(sums).filter(([name]) => !NO_SUM.test(name));
  return `- \`${goal.name}\`: ${figures.map(([name, sum]) => `${wordsOf(name)} ${grouped(sum)}`).join(", ")}.`;
}

/** `statesCompared` as `states compared`. */
function wordsOf(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

function foundTable(found: readonly Piece[]): readonly string[] {
  return [
    "| found | by | what | became of it |",
    "| --- | --- | --- | --- |",
    ...found.map((piece) => {
      const seeds = piece.from === piece.to ? `seed ${piece.from}` : `seeds ${piece.from} to ${piece.to}`;
      const fate = [
        ...(piece.mendedBy === undefined ? [] : [`mended by \`${piece.mendedBy}\``]),
        ...(piece.explanation === undefined ? [] : [cell(piece.explanation)]),
      ];
      return `| ${piece.date.slice(0, 10)}, \`${piece.commit}\` | \`${piece.proof}\`, ${seeds} | ${cell(piece.finding ?? piece.verdict)} | ${fate.join("; ") || "**open**"} |`;
    }),
  ];
}

function cell(text: string): string {
  return text.trim().replaceAll("|", "\\|").replaceAll("<", "&lt;").replaceAll(/\n+/g, "<br>");
}
