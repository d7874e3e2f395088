import { padEnd, padStart, textWidth, truncate } from "./text.ts";

export interface Column {
  readonly title: string;
  readonly align?: "right";
  /** Gives way when the terminal is too narrow. */
  readonly shrinks?: boolean;
  /** Colours the padded text of a cell; widths are counted without it. */
  readonly paint?: (text: string, row: number) => string;
}

const GAP = "  ";

/** What the last column keeps at least while others can shrink, and what a shrinking column keeps. */
const LAST_COLUMNS_MIN = 8;
const SHRUNK_COLUMNS_MIN = 10;

/**
 * Rows under aligned titles. The last column takes what is left of the width and is cut there; columns that may shrink do so before; the others
 * are as wide as their widest cell.
 */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  width: number,
  paintTitle: (text: string) => string,
): string {
  const last = columns.length - 1;
  const widths = fittingWidths(columns, rows, width);
  const cells = (row: readonly string[], paint: (text: string, column: number) => string): string =>
    columns
      .map((column, index) => {
        const columnWidth = widths[index] ?? 0;
        const text = truncate(row[index] ?? "", columnWidth);
        const padded = column.align === "right" ? padStart(text, columnWidth) : index === last ? text : padEnd(text, columnWidth);
        return paint(padded, index);
      })
      .join(GAP)
      .trimEnd();
  const title = paintTitle(
    cells(
      columns.map((column) => column.title),
      (text) => text,
    ),
  );
  const lines = rows.map((row, rowIndex) => cells(row, (text, index) => columns[index]?.paint?.(text, rowIndex) ?? text));
  return `${[title, ...lines].join("\n")}\n`;
}

function fittingWidths(columns: readonly Column[], rows: readonly (readonly string[])[], width: number): readonly number[] {
  const last = columns.length - 1;
  const widths = columns.map((column, index) => Math.max(textWidth(column.title), ...rows.map((row) => textWidth(row[index] ?? ""))));
  const usedBefore = (): number => widths.slice(0, last).reduce((sum, each) => sum + each + GAP.length, 0);
  for (const [index, column] of columns.entries()) {
    const own = widths[index] ?? 0;
    const missing = usedBefore() + LAST_COLUMNS_MIN - width;
    if (column.shrinks === true && missing > 0) widths[index] = Math.max(Math.min(own, SHRUNK_COLUMNS_MIN), own - missing);
  }
  widths[last] = Math.min(widths[last] ?? 0, Math.max(0, width - usedBefore()));
  return widths;
}
