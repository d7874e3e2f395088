/** A JSON Schema that cannot be used, with the place in it. */
export class SchemaError extends Error {
  /** JSON pointer into the schema. */
  readonly pointer: string;

  constructor(message: string, pointer: string) {
    super(message);
    this.name = "SchemaError";
    this.pointer = pointer;
  }
}
