/** What a caller can do about an error; becomes an exit code (and an HTTP status) in one table each. */
export type ErrorSpecies =
  | "usage"
  | "not-found"
  | "conflict"
  | "refused"
  | "unreachable"
  | "timed-out"
  | "exhausted"
  | "damaged"
  | "internal";

/**
 * Every error that Tutti raises on purpose, by its stable code. The reference page is generated from this list.
 * `hint` names the way out; an error may bring a more exact one.
 */
export const ERROR_CATALOGUE = {
  "definition-invalid": { kind: "usage", hint: "Fix the places listed; `tutti workflow lint FILE` shows them all." },
  "definition-not-found": { kind: "not-found", hint: "`tutti workflow list` shows what is there." },
  "schedule-not-found": { kind: "not-found", hint: "`tutti schedule list` shows the workflows that have one." },
  "definition-unsupported": { kind: "refused", hint: "The document is valid, but this version cannot run the construct named." },
  "reference-invalid": {
    kind: "usage",
    hint: "Functions, schemas and scripts from outside are read when a document is published: name a URL, or a file in the document's directory.",
  },
  "reference-unreachable": { kind: "unreachable", hint: "Nothing was published. Try again when the place named answers." },
  "definition-immutable": { kind: "conflict", hint: "A published version never changes: raise document.version." },
  "file-unreadable": { kind: "usage", hint: "Check the path and its permissions." },
  "input-invalid": { kind: "usage", hint: "Compare the input with the workflow's input schema: `tutti workflow show NAME`." },
  usage: { kind: "usage", hint: "`tutti --help` lists the commands." },
  "run-not-found": {
    kind: "not-found",
    hint: "`tutti run list` shows the runs; a unique beginning of an id is enough. Finished runs are deleted when their time is over, with their history.",
  },
  "run-ambiguous": { kind: "usage", hint: "Give more characters of the id." },
  "run-exists": { kind: "conflict", hint: "A run with this start key is there already: `tutti run show`." },
  "preview-void": {
    kind: "conflict",
    hint: "Nothing was started. Make a new preview (`tutti workflow preview`) and look at it; what may differ is said when it is made (--tolerate).",
  },
  "task-not-found": { kind: "not-found", hint: "`tutti run show RUN` lists the tasks and their names." },
  "task-ambiguous": { kind: "usage", hint: "Name the task by its whole path, for example /do/deploy/do/createVm." },
  "operation-not-possible": { kind: "conflict", hint: "`tutti run show RUN` says what the run's state allows." },
  "payload-too-large": { kind: "refused", hint: "Values are limited to 16 MiB: store the data elsewhere and pass its URI." },
  "limit-exceeded": { kind: "refused", hint: "The limit is named in the message." },
  "secret-not-found": {
    kind: "refused",
    hint: "Provide the secret: environment TUTTI_SECRET_<NAME> or a file in the data directory's secrets folder.",
  },
  "provider-not-found": { kind: "not-found", hint: "`tutti provider list` shows what is there." },
  "provider-exists": { kind: "conflict", hint: "Give it another name, or change the one there is with --replace." },
  "provider-invalid": {
    kind: "usage",
    hint: "`tutti provider add --help` shows what it takes; docs/connectors.md lists what each connector wants.",
  },
  "settings-invalid": {
    kind: "usage",
    hint: "Correct the settings file of the data directory; docs/reference/settings.md lists what it may hold.",
  },
  "address-unusable": { kind: "usage", hint: "Name an address of this machine and a port that nobody uses." },
  "store-in-use": { kind: "conflict", hint: "Another process owns the data directory; stop it or use its socket." },
  "store-full": { kind: "exhausted", hint: "Free disk space; the run goes on by itself afterwards." },
  "store-newer": { kind: "refused", hint: "The data directory was written by a newer version: use that version." },
  "store-damaged": { kind: "damaged", hint: "`tutti admin doctor` names what is damaged." },
  "backup-refused": { kind: "refused", hint: "Name a directory that is not there yet, on a disk with room for the store." },
  "backup-damaged": { kind: "damaged", hint: "Take another backup: this one is not restored, and nothing was changed by it." },
  "restore-refused": { kind: "refused", hint: "Name another data directory, or empty that one first." },
  "restored-paused": {
    kind: "refused",
    hint: "Look around (`tutti run list`); when the installation that the backup is of works no more, `tutti admin release` lets the runs go on.",
  },
  "commit-outcome-unknown": { kind: "internal", hint: "The runs of the batch were loaded again from the store." },
  "history-mismatch": { kind: "damaged", hint: "The records do not replay to the same run: keep the data directory and report this." },
  "run-elsewhere": { kind: "conflict", hint: "Send the command again: whichever node gets it passes it on to the run's owner." },
  "owner-unreachable": { kind: "unreachable", hint: "The process that owns the data directory does not answer on its socket." },
  "timed-out": { kind: "timed-out", hint: "The run goes on; `tutti run watch` follows it." },
  "event-invalid": { kind: "usage", hint: "A CloudEvent needs id, source and type." },
  stopping: { kind: "unreachable", hint: "The process is stopping: send the command again." },
} as const satisfies Readonly<Record<string, { readonly kind: ErrorSpecies; readonly hint: string }>>;

export type ErrorCode = keyof typeof ERROR_CATALOGUE;
