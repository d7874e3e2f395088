export { durationMs, parseDuration } from "./duration.ts";
export type { Finding, Position, Severity } from "./finding.ts";
export { SchemaError } from "./json-schema/schema-error.ts";
export { decodeDocument, parseDocument, type ParsedDocument, type ParseOptions } from "./parse-document.ts";
export { compileSchemaCheck } from "./schema-check.ts";
export { Workflow, type WorkflowDocument, workflowJsonSchema } from "./schema/workflow.ts";
