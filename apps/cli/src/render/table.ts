import { padEnd, padStart, textWidth, truncate } from "./text.ts";

export interface Column {
  readonly title: string;
  readonly align?: "right";
  /** Colours the padded text of a cell; widths are counted without it. */
  readonly paint?: (text: string, row: number) => string;
}

const GAP = "  ";

/** Rows under aligned titles. The last column takes what is left of the width and is cut there; the others are as wide as their widest cell. */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  width: number,
  paintTitle: (text: string) => string,
): string {
  const last = columns.length - 1;
  const widths = columns.map((column, index) => Math.max(textWidth(column.title), ...rows.map((row) => textWidth(row[index] ?? ""))));
  const used = widths.slice(0, last).reduce((sum, columnWidth) => sum + columnWidth + GAP.length, 0);
  widths[last] = Math.min(widths[last] ?? 0, Math.max(8, width - used));
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
