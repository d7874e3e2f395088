import { analyse, compile, ExpressionSyntaxError } from "@tutti/expression";

/** Stands in a path for an element or key that is known at run time only. */
export const ANY = "*";

/** What the linter wants to know of an expression. */
export type ExpressionFacts =
  | {
      readonly kind: "valid";
      readonly freeVariables: readonly { readonly name: string; readonly offset: number }[];
      /** Top-level fields of `.` that it reads. */
      readonly fields: ReadonlySet<string>;
      /** What it reads of variables, as paths. */
      readonly reads: readonly { readonly variable: string; readonly path: readonly string[]; readonly offset: number }[];
    }
  | { readonly kind: "invalid"; readonly message: string; readonly offset: number };

/** Facts by source: documents repeat their expressions. Made for one document and dropped with it. */
export class ExpressionReader {
  readonly #facts = new Map<string, ExpressionFacts>();

  read(source: string): ExpressionFacts {
    const known = this.#facts.get(source);
    if (known !== undefined) return known;
    const facts = factsOf(source);
    this.#facts.set(source, facts);
    return facts;
  }
}

function factsOf(source: string): ExpressionFacts {
  try {
    const { freeVariables, fieldsRead, reads } = analyse(source);
    // Unknown functions are found by compiling only; which variables there are is the position's business.
    compile(source, { variables: [...new Set(freeVariables.map(({ name }) => name))] });
    const variables = freeVariables.map(({ name, line, column }) => ({ name, offset: offsetOf(source, line, column) }));
    // A read has the place of its last field; authors look for the variable.
    const begin = (name: string, end: number): number =>
      variables.findLast((variable) => variable.name === name && variable.offset <= end)?.offset ?? end;
    return {
      kind: "valid",
      freeVariables: variables,
      fields: new Set(fieldsRead.flatMap(([field]) => (field === undefined || field === ANY ? [] : [field]))),
      reads: reads.flatMap(({ variable, path, line, column }) =>
        variable === undefined ? [] : [{ variable, path, offset: begin(variable, offsetOf(source, line, column)) }],
      ),
    };
  } catch (error) {
    if (!(error instanceof ExpressionSyntaxError)) throw error;
    return { kind: "invalid", message: error.message, offset: error.offset };
  }
}

function offsetOf(source: string, line: number, column: number): number {
  let start = 0;
  for (let at = 1; at < line; at++) start = source.indexOf("\n", start) + 1;
  return start + column - 1;
}
