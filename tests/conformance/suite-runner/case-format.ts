import { z } from "@tutti/connector-kit";
import { durationMs, type Json, type JsonObject } from "@tutti/model";

/** The shape of the suite's files; what each member means is told in `suite/README.md`. */

const Data = z.custom<Json>((value) => value !== undefined, "is data");
const Mapping = z.custom<JsonObject>((value) => typeof value === "object" && value !== null && !Array.isArray(value), "is a mapping");
/** An ISO 8601 duration, as milliseconds. */
const Span = z.string().transform((text, context) => {
  const ms = durationMs(text);
  if (ms === undefined) context.addIssue({ code: "custom", message: `"${text}" is no duration` });
  return ms ?? 0;
});
const Moment = z.union([Span, z.strictObject({ from: Span, to: Span })]);
const ErrorForm = z.strictObject({
  type: z.string().optional(),
  status: z.number().optional(),
  title: z.string().optional(),
  detail: Data.optional(),
  instance: z.string().optional(),
  effect: z.string().optional(),
});

const AnswerModifiers = { takes: Span.optional(), stubborn: z.boolean().optional() };
const FunctionAnswer = z.union([
  z.strictObject({ output: Data, ...AnswerModifiers }),
  z.strictObject({ echo: z.literal(true), ...AnswerModifiers }),
  z.strictObject({
    error: z.strictObject({ status: z.number(), kind: z.string().optional(), title: z.string().optional(), detail: Data.optional() }),
    ...AnswerModifiers,
  }),
  z.strictObject({ unreachable: z.literal(true) }),
  z.strictObject({ lost: z.enum(["before", "after"]), output: Data.optional() }),
  z.strictObject({ hangs: z.enum(["before", "after"]), output: Data.optional() }),
]);
export type FunctionAnswer = z.infer<typeof FunctionAnswer>;

const LookUpAnswer = z.union([z.strictObject({ fails: z.literal(true) }), z.strictObject({ sees: z.literal(true) })]);

const StubFunction = z.strictObject({
  effect: z.enum(["read", "idempotent", "findable", "unsafe"]).optional(),
  unique: z.boolean().optional(),
  settle: Span.optional(),
  requestTimeout: Span.optional(),
  answers: z.array(FunctionAnswer).optional(),
  lookUps: z.array(LookUpAnswer).optional(),
  /** What a broker holds, for subscriptions of `asyncapi`. */
  messages: z
    .array(z.strictObject({ payload: Data, headers: Mapping.optional(), correlationId: z.string().optional(), comes: Span.optional() }))
    .optional(),
});
export type StubFunction = z.infer<typeof StubFunction>;

const HttpAnswer = z.union([
  z.strictObject({
    status: z.number().default(200),
    headers: z.record(z.string(), z.string()).default({}),
    body: Data.optional(),
    text: z.string().optional(),
    base64: z.string().optional(),
    takes: Span.optional(),
  }),
  z.strictObject({ unreachable: z.literal(true) }),
  z.strictObject({ lost: z.literal(true) }),
]);
export type HttpAnswer = z.infer<typeof HttpAnswer>;

const Verdict = z.union([
  z.strictObject({ task: z.string(), done: Data }),
  z.strictObject({ task: z.string(), notDone: z.enum(["run", "fail"]) }),
]);
const Word = z.union([
  z.enum(["pause", "resume", "retry", "cancel", "kill", "backout"]),
  z.strictObject({
    resume: z.strictObject({ from: z.string().optional(), input: Data.optional(), outputs: z.record(z.string(), Data).optional() }),
  }),
  z.strictObject({ retry: z.string() }),
  z.strictObject({ backout: z.strictObject({ to: z.string() }) }),
  z.strictObject({ skip: z.strictObject({ task: z.string(), output: Data.optional() }) }),
  z.strictObject({ settle: Verdict }),
]);
export type Word = z.infer<typeof Word>;

const When = z.union([
  z.string(),
  z.strictObject({ task: z.string(), is: z.string(), run: z.string().optional() }),
  z.strictObject({ calls: z.number() }),
]);
export type When = z.infer<typeof When>;

const Step = z.strictObject({
  when: When.optional(),
  after: Span.optional(),
  /** The run that `when` and `operator` speak of: `main`, or the name of a start, or the name of a child's workflow. */
  run: z.string().default("main"),
  send: Mapping.optional(),
  operator: Word.optional(),
  refused: z.string().optional(),
  start: z.strictObject({ as: z.string(), workflow: z.string().optional(), input: Data.optional() }).optional(),
});
export type Step = z.infer<typeof Step>;

const ExpectedCall = z.strictObject({
  function: z.string().optional(),
  with: Data.optional(),
  http: z.string().optional(),
  headers: z.record(z.string(), z.union([z.string(), z.null()])).optional(),
  body: Data.optional(),
  at: Moment.optional(),
});
export type ExpectedCall = z.infer<typeof ExpectedCall>;

const ExpectedTask = z.union([
  z.string(),
  z.strictObject({
    is: z.string().optional(),
    output: Data.optional(),
    error: ErrorForm.optional(),
    lasts: Moment.optional(),
    times: z.number().optional(),
  }),
]);
export type ExpectedTask = z.infer<typeof ExpectedTask>;

const ExpectedRun = {
  status: z.enum(["completed", "faulted", "waiting", "suspended", "cancelled"]).optional(),
  output: Data.optional(),
  outputHas: Data.optional(),
  error: ErrorForm.optional(),
};
const Expect = z.strictObject({
  ...ExpectedRun,
  context: Data.optional(),
  calls: z.array(ExpectedCall).optional(),
  callsInAnyOrder: z.array(ExpectedCall).optional(),
  effects: z.record(z.string(), z.number()).optional(),
  emitted: z.array(Mapping).optional(),
  lasts: Moment.optional(),
  tasks: z.record(z.string(), ExpectedTask).optional(),
  waits: z.array(z.strictObject({ task: z.string(), for: z.string(), until: Span.optional() })).optional(),
  doubts: z.array(z.string()).optional(),
  records: z.array(z.string()).optional(),
  runs: z.record(z.string(), z.strictObject(ExpectedRun)).optional(),
  starts: z.array(Moment).optional(),
  refused: z.union([z.literal(true), z.string()]).optional(),
  startRefused: z.string().optional(),
});
export type Expect = z.infer<typeof Expect>;

/** What a case and each of its rows may say; a row's word goes before the case's. */
export const SceneShape = {
  /** The workflow's schedule is enabled in place of a start; the first run that it starts is `main`. */
  schedule: z.literal(true).optional(),
  input: Data.optional(),
  secrets: z.record(z.string(), Data).optional(),
  functions: z.record(z.string(), StubFunction).optional(),
  http: z.record(z.string(), z.array(HttpAnswer)).optional(),
  /** Texts outside of the document by URL: functions, catalogs, schemas. */
  outside: z.record(z.string(), Data).optional(),
  steps: z.array(Step).optional(),
  stopAfter: Span.optional(),
  expect: Expect.optional(),
  afterRestart: Expect.optional(),
  /** Short for `expect: { output }` and `expect: { error }`. */
  output: Data.optional(),
  error: ErrorForm.optional(),
  put: Mapping.optional(),
};
const Row = z.strictObject({ id: z.string(), shows: z.string().optional(), ...SceneShape });
const Case = z.strictObject({
  id: z.string().regex(/^[a-z0-9-]+$/, "is lower case letters, digits and dashes"),
  shows: z.string(),
  reference: z.string().optional(),
  workflow: z.union([z.string(), Mapping]).optional(),
  others: z.array(z.string()).optional(),
  ...SceneShape,
  rows: z.array(Row).optional(),
});
export const SuiteFile = z.strictObject({
  title: z.string(),
  reference: z.string(),
  workflows: z.record(z.string(), Mapping).default({}),
  cases: z.array(Case).min(1),
});
export type Scene = Omit<z.infer<typeof Row>, "id" | "shows">;
