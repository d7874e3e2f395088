import type { Json } from "@tutti/model";

/** Where in a source text something stands: line and column from 1, offset from 0 in UTF-16 units. */
export interface SourcePosition {
  readonly line: number;
  readonly column: number;
  readonly offset: number;
}

/** The source is not a program: bad syntax, an unknown function or an unknown variable. */
export class ExpressionSyntaxError extends Error implements SourcePosition {
  override readonly name = "ExpressionSyntaxError";
  readonly line: number;
  readonly column: number;
  readonly offset: number;

  constructor(message: string, position: SourcePosition) {
    super(message);
    this.line = position.line;
    this.column = position.column;
    this.offset = position.offset;
  }
}

/** `error`: raised by the program or a builtin; `limit`: a bound of the evaluation; `break`: `break` raised as an error value. */
export type ExpressionErrorKind = "error" | "limit" | "break";

/** An evaluation failed. `value` is what `catch` would have seen: mostly the message, or any value given to `error`. */
export class ExpressionError extends Error {
  override readonly name = "ExpressionError";
  readonly kind: ExpressionErrorKind;
  readonly value: Json;
  readonly line: number | undefined;
  readonly column: number | undefined;

  constructor(message: string, details: { kind: ExpressionErrorKind; value: Json; position: SourcePosition | undefined }) {
    super(message);
    this.kind = details.kind;
    this.value = details.value;
    this.line = details.position?.line;
    this.column = details.position?.column;
  }
}

/** Turns an offset into line and column; only called when something went wrong, so no table is kept. */
export function positionOf(source: string, offset: number): SourcePosition {
  let line = 1;
  let lineStart = 0;
  for (let index = source.indexOf("\n"); index !== -1 && index < offset; index = source.indexOf("\n", index + 1)) {
    line++;
    lineStart = index + 1;
  }
  return { line, column: offset - lineStart + 1, offset };
}
