import { AppError, type JsonObject } from "@tutti/model";

/** How documents reach what they refer to: files and HTTP. Asked only while a document is published, never by a run. */
export interface ReferenceReader {
  /**
   * Reads a text.
   *
   * @throws AppError `reference-invalid` when the place is none, or one that may not be read; `reference-unreachable` when there is no answer.
   */
  read(request: ReferenceRequest): Promise<{ readonly url: string; readonly text: string }>;
}

export interface ReferenceRequest {
  /** A URL, or relative to `from`. */
  readonly uri: string;
  /** Absolute URL of the text in which the reference stands; undefined for the workflow's own. */
  readonly from: string | undefined;
  /** The workflow's own directory, when it came from one. */
  readonly baseDirectory: string | undefined;
  readonly authentication: JsonObject | undefined;
}

/** Of a runtime that was given none. */
export const NO_REFERENCES: ReferenceReader = {
  read: async ({ uri }) => {
    throw new AppError("reference-invalid", `${uri} can't be read: nothing outside of the document can be reached here.`);
  },
};
