export type { Finding, Position, Severity } from "./finding.ts";
export { SchemaError } from "./json-schema/schema-error.ts";
export { lintDocument } from "./lint.ts";
export type { FunctionInterface, LintOptions } from "./lint/context.ts";
export { parseDocument, type ParsedDocument, type ParseOptions } from "./parse-document.ts";
export { readAccepted } from "./read-accepted.ts";
export { compileSchemaCheck } from "./schema-check.ts";
export { Workflow, type WorkflowDocument, workflowJsonSchema } from "./schema/workflow.ts";
export { type Cron, type CronProblem, parseCron } from "./schedule/cron.ts";
export { nextCronInstant } from "./schedule/cron-instants.ts";
export { timeZone } from "./schedule/time-zone.ts";
export { isDateTime, isUriTemplate } from "./schema/text.ts";
export { nextInstant, type SchedulePlan, type ScheduleTrigger } from "./schedule/schedule-plan.ts";
export type { MisfirePolicy, Overlap } from "./schedule/schedule-profile.ts";
export { compileWorkflow } from "./compile.ts";
export {
  calledFunctions,
  type ExternalReference,
  externalReferences,
  type PinnedReference,
  referenceKey,
} from "./external/external-reference.ts";
export { absoluteFunction, readFunction } from "./external/function-document.ts";
export { compileUri, templateNeeds } from "./compile-template.ts";
export {
  type CallNode,
  type CatchClause,
  type Compensation,
  type Concurrency,
  type Duration,
  type EffectOverride,
  type EventFilter,
  type EventStrategy,
  type Expression,
  type Flow,
  type ForeachClause,
  type ListenNode,
  LOCAL_SLOT,
  type RetryPolicy,
  type Saga,
  type SchemaCheck,
  STANDARD_VARIABLES,
  type TaskExtension,
  type TaskKind,
  type TaskList,
  type TaskNode,
  type Template,
  type TryNode,
  type Unsupported,
  type WorkflowProgram,
} from "./program.ts";
