import type { Connector } from "@tutti/connector-kit";
import type { HttpClient } from "@tutti/connector-http";
import type { ReferenceReader } from "@tutti/runtime";

/** Systems beside the suite's own stand-ins. They outlive the processes of a play, as those do. */
export interface Surroundings {
  /** Connectors of one process; `http` is its way out, which leads to the stand-ins. */
  readonly connectors: (http: HttpClient) => readonly Connector[];
  /** For texts that documents refer to. */
  readonly references: ReferenceReader;
  /** Texts by URL that everybody can read, and whose reading is no part of the story: descriptions of interfaces. */
  readonly texts: ReadonlyMap<string, string>;
  /** The directory that the workflow came from. */
  readonly baseDirectory: string | undefined;
  /** What does not hold at the end, one line each. */
  readonly problems: () => readonly string[];
  readonly close: () => Promise<void>;
}
