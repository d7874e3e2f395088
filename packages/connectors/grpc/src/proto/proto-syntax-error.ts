/** A text that is no valid .proto file, with the place in it. */
export class ProtoSyntaxError extends Error {
  readonly line: number;
  readonly column: number;
  readonly reason: string;

  constructor(reason: string, at: Place) {
    super(`line ${at.line}, column ${at.column}: ${reason}`);
    this.name = "ProtoSyntaxError";
    this.line = at.line;
    this.column = at.column;
    this.reason = reason;
  }
}

/** Where something stands in a file; both count from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}
