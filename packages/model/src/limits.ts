/** Limits that more than one package must agree on. Each is a bound on what one run may cost everybody else. */

/** Values above this live beside the records, keyed by content hash: a record stays small enough to read a run's history in one go. */
export const PAYLOAD_INLINE_BYTES = 64 * 1024;
/** Hard limit per value; larger data belongs into an artifact store, with its URI in the data. */
export const PAYLOAD_BYTES_MAX = 16 * 1024 * 1024;
/** Branches of a fork and items of a loop or map. */
export const FAN_OUT_MAX = 100_000;
/** Attempts of one token, whatever a retry policy says. */
export const ATTEMPTS_MAX = 1000;
/** Nesting of tasks in a document, and of sub-workflows in each other. */
export const DEPTH_MAX = 64;
/** A workflow document. */
export const DOCUMENT_BYTES_MAX = 4 * 1024 * 1024;
/** Accepted events are kept this long for listeners that come later. */
export const EVENT_RETENTION_MS = 7 * 24 * 60 * 60 * 1000;
/** Nesting of a value: everything that walks one (writing, comparing, checking) recurses. */
export const VALUE_DEPTH_MAX = 1000;
