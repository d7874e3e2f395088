/** What the log of `tutti up` tells, and by which names; the reference page is generated from it. */
export const LOG_LEVELS = ["error", "warn", "info", "debug"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export const LOG_EVENTS = {
  "process.started": { level: "info", what: "The process drives the data directory from here on." },
  "process.stopping": { level: "info", what: "It was told to stop; attempts in flight may end first." },
  "process.stopped": { level: "info", what: "It has let go of it." },
  "run.started": { level: "info", what: "A run is stored." },
  "run.changed": { level: "info", what: "Its status, or the number of its effects in doubt, is another." },
  "run.failed": { level: "warn", what: "It came to faulted or quarantined." },
  "run.operated": { level: "info", what: "A person or a program acted on it." },
  "attempt.failed": { level: "warn", what: "An attempt of a call failed." },
  "attempt.unknown": { level: "warn", what: "Nobody knows what an attempt did; its effect class decides." },
  "attempt.intended": { level: "debug", what: "An attempt that may change something is about to be sent." },
  "attempt.completed": { level: "debug", what: "An attempt completed." },
  report: { level: "error", what: "Something failed or was missed that no run can be blamed for." },
} as const satisfies Readonly<Record<string, { readonly level: LogLevel; readonly what: string }>>;
export type LogEvent = keyof typeof LOG_EVENTS;

/** Members of a line beside `at`, `level` and `event`; one that says nothing is left out. No line has a value of a workflow. */
export const LOG_FIELDS = {
  runId: "The run.",
  workflow: "`namespace/name:version`.",
  traceId: "Trace id of the run (W3C), derived from its id: the same whenever it is asked for.",
  status: "How the run stands.",
  inDoubt: "Effects of the run in doubt.",
  task: "Number of the activation, as `tutti run events` has it.",
  path: "Path of the task, where the intent of the attempt was seen.",
  attempt: "Number of the attempt.",
  function: "Function that is called.",
  effect: "Class of its effect.",
  code: "Type of the error, without what is said about it; for reports the code of the error.",
  unknown: "Why nobody knows: crash, timeout, connection, cancelled.",
  action: "What was asked of the run.",
  actor: "Who asked.",
  message: "For reports: what failed.",
  cause: "For reports: why.",
  directory: "The data directory.",
  version: "Version of Tutti.",
  pid: "The process.",
} as const;
export type LogField = keyof typeof LOG_FIELDS;
export type LogFields = { readonly [Field in LogField]?: string | number | undefined };
