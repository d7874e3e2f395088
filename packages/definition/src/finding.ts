/** How bad a finding is: a document with an `error` is never accepted, `warning` and `note` are for the author. */
export type Severity = "error" | "warning" | "note";

/** A place in the text, both counted from 1; columns are UTF-16 code units, as editors count them. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** One thing that the author of a document should know, with the place where it is. */
export interface Finding extends Position {
  readonly severity: Severity;
  /** Stable id in kebab-case; `docs` and configuration refer to it. */
  readonly rule: string;
  readonly message: string;
  /** JSON pointer into the document; empty for the document as a whole. */
  readonly pointer: string;
  /** What to do, when that is not evident from the message. */
  readonly hint?: string;
}

/** More findings than this are of no use to anybody; the first ones are kept, and one more says that there were others. */
export const FINDINGS_MAX = 500;
