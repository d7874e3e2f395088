import { z } from "zod";
import type { Json } from "@tutti/model";
import { AuthenticationPolicy } from "./authentication.ts";
import { AnyObject, closed, mapOf, namedItem, open } from "./building-blocks.ts";
import { Catalog, Input, Output } from "./data-flow.ts";
import { EventReadMode, EventStrategy } from "./event.ts";
import { ErrorDefinition, RetryPolicy, Timeout, TimeoutOrName } from "./fault.ts";
import { Task, TaskList } from "./task.ts";
import { Duration, HostLabel, SemanticVersion } from "./text.ts";

const DocumentHead = closed({
  dsl: SemanticVersion,
  namespace: HostLabel,
  name: HostLabel,
  version: SemanticVersion,
  title: z.string().optional(),
  summary: z.string().optional(),
  tags: AnyObject.optional(),
  metadata: AnyObject.optional(),
});

const EXTENSION_TARGETS = ["call", "composite", "emit", "for", "listen", "raise", "run", "set", "switch", "try", "wait", "all"] as const;
const Extension = closed({
  extend: z.enum(EXTENSION_TARGETS),
  when: z.string().optional(),
  before: TaskList.optional(),
  after: TaskList.optional(),
});

const Use = closed({
  authentications: mapOf(AuthenticationPolicy).optional(),
  errors: mapOf(ErrorDefinition).optional(),
  extensions: z.array(namedItem(Extension, "extension")).optional(),
  functions: mapOf(Task).optional(),
  retries: mapOf(RetryPolicy).optional(),
  secrets: z.array(z.string()).optional(),
  timeouts: mapOf(Timeout).optional(),
  catalogs: mapOf(Catalog).optional(),
});

const Schedule = closed({
  every: Duration.optional(),
  cron: z.string().optional(),
  after: Duration.optional(),
  on: EventStrategy.optional(),
  read: EventReadMode.optional(),
})
  .superRefine((schedule, context) => {
    if (!Object.hasOwn(schedule, "read") || Object.hasOwn(schedule, "on")) return;
    context.addIssue({ code: "custom", message: "`read` goes with `on` only", params: { whole: true } });
  })
  .meta({ dependentRequired: { read: ["on"] } });

const Evaluate = closed({ language: z.string().optional(), mode: z.enum(["strict", "loose"]).optional() });

/** The top level keys. The schema leaves the document open to others; the linter does not. */
export const WORKFLOW_KEYS = ["document", "input", "use", "do", "timeout", "output", "schedule", "evaluate"] as const;

/**
 * A workflow document: our own statement of the Open Workflow Specification, main at 4d42471. It accepts and refuses what the official
 * schema does (`npm run conformance`, line `schema-agreement`); what a shape cannot say is the linter's.
 */
export const Workflow = open({
  document: DocumentHead,
  input: Input.optional(),
  use: Use.optional(),
  do: TaskList,
  timeout: TimeoutOrName.optional(),
  output: Output.optional(),
  schedule: Schedule.optional(),
  evaluate: Evaluate.optional(),
});
export type WorkflowDocument = z.infer<typeof Workflow>;

/** The schema of workflow documents as JSON Schema 2020-12, for editors. */
export function workflowJsonSchema(): Json {
  const schema = z.toJSONSchema(Workflow, { target: "draft-2020-12", io: "input", unrepresentable: "any", reused: "ref" });
  // What zod returns is JSON with `undefined` at most in places that JSON drops.
  return JSON.parse(JSON.stringify(schema)) as Json;
}
