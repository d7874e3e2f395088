/** A field of a cron expression: its bounds, and the names that its values may have. */
interface Field {
  readonly name: string;
  readonly from: number;
  readonly to: number;
  readonly names: readonly string[];
}

const FIELDS: readonly Field[] = [
  { name: "minute", from: 0, to: 59, names: [] },
  { name: "hour", from: 0, to: 23, names: [] },
  { name: "day of the month", from: 1, to: 31, names: [] },
  { name: "month", from: 1, to: 12, names: ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"] },
  // Both 0 and 7 are Sunday.
  { name: "day of the week", from: 0, to: 7, names: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] },
];
/** Longest expression that lists every value of every field. */
const TEXT_LENGTH_MAX = 1000;

/** What is wrong with a cron expression and where in its text; undefined when it is right. */
export function cronProblem(text: string): { readonly message: string; readonly offset: number } | undefined {
  if (text.length > TEXT_LENGTH_MAX) return { message: "the expression is too long", offset: 0 };
  const parts = [...text.matchAll(/\S+/g)];
  if (parts.length !== FIELDS.length) {
    return {
      message: `an expression has 5 fields (minute, hour, day of the month, month, day of the week), this one ${parts.length}`,
      offset: 0,
    };
  }
  for (const [index, part] of parts.entries()) {
    const field = FIELDS[index] as Field;
    for (const item of part[0].split(",")) {
      const problem = itemProblem(item, field);
      if (problem !== undefined) return { message: `${field.name} \`${part[0]}\`: ${problem}`, offset: part.index };
    }
  }
  return undefined;
}

/** One of a list: `*`, a value, or a range, with a step if any. */
function itemProblem(item: string, field: Field): string | undefined {
  const [range = "", step, ...more] = item.split("/");
  if (more.length > 0 || range === "") return "this is no value, range or step";
  if (step !== undefined && (!/^\d{1,3}$/.test(step) || Number(step) === 0)) return `the step \`${step}\` is no number above 0`;
  if (range === "*") return undefined;
  const [first = "", last, ...rest] = range.split("-");
  if (rest.length > 0) return "this is no range";
  const from = valueOf(first, field);
  const to = last === undefined ? from : valueOf(last, field);
  if (from === undefined || to === undefined) {
    const names = field.names.length > 0 ? ` or ${field.names[0]}–${field.names.at(-1)}` : "";
    return `values are ${field.from}–${field.to}${names}`;
  }
  return from <= to ? undefined : "the range goes backwards";
}

function valueOf(text: string, field: Field): number | undefined {
  const named = field.names.indexOf(text.toLowerCase());
  if (named >= 0) return named + field.from;
  if (!/^\d{1,2}$/.test(text)) return undefined;
  const value = Number(text);
  return value >= field.from && value <= field.to ? value : undefined;
}
