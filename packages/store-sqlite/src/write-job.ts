import type {
  DefinitionRow,
  IncomingEvent,
  ProviderRow,
  RunCommit,
  RunMessage,
  RunRowChange,
  ScheduleRow,
  SlotVerdict,
} from "@tutti/store";

/** One write, as plain data: the same on the main thread and in the writer worker. Several share a transaction. */
export type WriteJob =
  | { readonly kind: "commit"; readonly runs: readonly PlannedRun[] }
  | { readonly kind: "put-definition"; readonly definition: DefinitionRow }
  | { readonly kind: "accept-event"; readonly event: IncomingEvent }
  | { readonly kind: "put-schedule"; readonly row: ScheduleRow }
  | { readonly kind: "put-provider"; readonly row: ProviderRow }
  | { readonly kind: "remove-provider"; readonly tenant: string; readonly name: string }
  | { readonly kind: "delete-events"; readonly acceptedBeforeMs: number }
  | { readonly kind: "condemn"; readonly runIds: readonly string[] }
  | { readonly kind: "sweep"; readonly runIds: readonly string[] }
  | { readonly kind: "give-back"; readonly keepBytes: number }
  | { readonly kind: "set"; readonly name: SettingName; readonly value: number };

export type WriteResult =
  | { readonly kind: "commit"; readonly runs: readonly CommittedRun[] }
  | { readonly kind: "put-definition"; readonly outcome: "created" | "unchanged" | "conflict" }
  | { readonly kind: "accept-event"; readonly position: number; readonly duplicate: boolean }
  | { readonly kind: "put-schedule"; readonly outcome: "written" | "conflict" }
  | { readonly kind: "put-provider"; readonly outcome: "written" | "conflict" }
  | { readonly kind: "remove-provider"; readonly wasThere: boolean }
  | { readonly kind: "delete-events"; readonly count: number }
  | { readonly kind: "condemn"; readonly condemned: readonly string[] }
  | { readonly kind: "sweep"; readonly isDone: boolean; readonly condemned: readonly string[] }
  | { readonly kind: "give-back"; readonly isDone: boolean; readonly bytes: number }
  | { readonly kind: "set" };

export type SettingName = "dispatch-cursor" | "stopped-cleanly" | "last-fence";

/**
 * A run of a batch whose sequence has been checked. The rare parts are undefined when empty: most runs only append records, and every
 * member is copied when it goes to the worker.
 */
export interface PlannedRun {
  readonly runKey: number;
  readonly runId: string;
  readonly isNew: boolean;
  readonly seqFirst: number;
  readonly seqLast: number;
  /** The texts of the records, one a line. */
  readonly body: string;
  /** JSON of [index, offset, hash] per payload. */
  readonly payloadPlaces: string | undefined;
  readonly payloads: readonly { readonly hash: string; readonly text: string }[] | undefined;
  readonly row: RunRowChange | undefined;
  readonly extras: PlannedExtras | undefined;
}
export type PlannedExtras = Pick<RunCommit, "snapshot" | "events" | "subscribe" | "unsubscribe" | "acquire" | "release" | "send" | "take">;

export interface CommittedRun {
  readonly slots: readonly SlotVerdict[];
  readonly eventPositions: readonly number[];
  readonly messages: readonly RunMessage[];
}
/** What there is to say of most runs, always this object. */
export const NOTHING_MORE: CommittedRun = { slots: [], eventPositions: [], messages: [] };
