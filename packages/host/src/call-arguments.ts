import { AppError, type CloudEvent, isJsonObject, type Json, type JsonObject } from "@tutti/model";
import { CloudEventSchema } from "@tutti/model/schemas";
import type {
  AddProviderRequest,
  DocumentSource,
  FireScheduleRequest,
  OperateRequest,
  PreviewRunRequest,
  PruneRequest,
  StartPreviewedRequest,
  StartRunRequest,
  WaitUntil,
} from "@tutti/runtime";
import { readPreview } from "@tutti/runtime";
import type { BackupRequest } from "./backup.ts";
import { RUN_STATUSES, type RunQuery, type RunStatus } from "@tutti/store";

/**
 * Reads the arguments of a call that came over the socket. The peer is a process of the same user, perhaps of another version: what does not
 * fit is refused by name, never guessed.
 */
export function text(given: JsonObject, name: string): string {
  const value = own(given, name);
  if (typeof value !== "string") throw refused(name, "a string");
  return value;
}

export function optionalText(given: JsonObject, name: string): string | undefined {
  return own(given, name) === undefined ? undefined : text(given, name);
}

export function count(given: JsonObject, name: string): number {
  const value = own(given, name);
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) throw refused(name, "a whole number from 0 on");
  return value;
}

export function optionalCount(given: JsonObject, name: string): number | undefined {
  return own(given, name) === undefined ? undefined : count(given, name);
}

export function flag(given: JsonObject, name: string): boolean {
  const value = own(given, name);
  if (typeof value !== "boolean") throw refused(name, "true or false");
  return value;
}

export function waitUntil(given: JsonObject): WaitUntil {
  const value = text(given, "until");
  if (value !== "final" && value !== "rest" && value !== "person" && value !== "parked")
    throw refused("until", "final, rest, person or parked");
  return value;
}

export function documentSource(given: JsonObject): DocumentSource {
  return { text: text(given, "text"), file: optionalText(given, "file"), baseDirectory: optionalText(given, "baseDirectory") };
}

export function startRunRequest(given: JsonObject): StartRunRequest {
  return {
    namespace: text(given, "namespace"),
    name: text(given, "name"),
    version: text(given, "version"),
    input: own(given, "input") ?? null,
    labels: own(given, "labels") === undefined ? undefined : textMap(given, "labels"),
    startKey: optionalText(given, "startKey"),
    actor: text(given, "actor"),
    replayOf: optionalText(given, "replayOf"),
  };
}

export function previewRunRequest(given: JsonObject): PreviewRunRequest {
  const workflow = object(given, "workflow");
  return {
    workflow:
      own(workflow, "document") === undefined
        ? { namespace: text(workflow, "namespace"), name: text(workflow, "name"), version: text(workflow, "version") }
        : { document: documentSource(object(workflow, "document")) },
    input: own(given, "input") ?? null,
    ...(own(given, "tolerances") !== undefined && { tolerances: texts(given, "tolerances") }),
  };
}

export function startPreviewedRequest(given: JsonObject): StartPreviewedRequest {
  const input = own(given, "input");
  return {
    preview: readPreview(object(given, "preview")),
    ...(input !== undefined && { input }),
    ...(own(given, "labels") !== undefined && { labels: textMap(given, "labels") }),
    actor: text(given, "actor"),
  };
}

function texts(given: JsonObject, name: string): readonly string[] {
  const value = own(given, name);
  if (!Array.isArray(value) || !value.every((item) => typeof item === "string")) throw refused(name, "a list of texts");
  return value;
}

export function fireScheduleRequest(given: JsonObject): FireScheduleRequest {
  return { namespace: text(given, "namespace"), name: text(given, "name"), input: own(given, "input"), actor: text(given, "actor") };
}

export function addProviderRequest(given: JsonObject): AddProviderRequest {
  return {
    name: text(given, "name"),
    connector: text(given, "connector"),
    configuration: object(given, "configuration"),
    credentials: textMap(given, "credentials"),
    replace: flag(given, "replace"),
    dryRun: flag(given, "dryRun"),
  };
}

export function operateRequest(given: JsonObject): OperateRequest {
  return {
    runId: text(given, "runId"),
    actor: text(given, "actor"),
    reason: optionalText(given, "reason"),
    action: action(object(given, "action")),
  };
}

function action(given: JsonObject): OperateRequest["action"] {
  const kind = text(given, "kind");
  switch (kind) {
    case "pause":
    case "cancel":
    case "kill":
      return { kind };
    case "resume":
      return {
        kind,
        from: optionalText(given, "from"),
        setInput: own(given, "setInput"),
        outputs: own(given, "outputs") === undefined ? undefined : object(given, "outputs"),
      };
    case "retry":
      return { kind, task: optionalText(given, "task") };
    case "backout":
      return { kind, to: optionalText(given, "to") };
    case "skip":
      return { kind, task: text(given, "task"), output: own(given, "output") };
    case "settle":
      return { kind, task: text(given, "task"), seen: optionalCount(given, "seen"), verdict: verdict(object(given, "verdict")) };
    default:
      throw refused("action.kind", "an operator's word");
  }
}

function verdict(given: JsonObject): Extract<OperateRequest["action"], { kind: "settle" }>["verdict"] {
  const kind = text(given, "kind");
  if (kind === "done") return { kind, output: own(given, "output") ?? null };
  const then = text(given, "then");
  if (kind !== "not-done" || (then !== "run" && then !== "fail"))
    throw refused("verdict", "done with an output, or not-done with run or fail");
  return { kind, then };
}

export function pruneRequest(given: JsonObject): PruneRequest {
  const olderThanMs = optionalCount(given, "olderThanMs");
  return { dryRun: flag(given, "dryRun"), ...(olderThanMs === undefined ? {} : { olderThanMs }) };
}

export function backupRequest(given: JsonObject): BackupRequest {
  return { target: text(given, "target"), withSecrets: flag(given, "withSecrets"), withLogs: flag(given, "withLogs") };
}

export function runQuery(given: JsonObject): Omit<RunQuery, "tenant"> {
  const label = own(given, "label") === undefined ? undefined : object(given, "label");
  return {
    status: statuses(given),
    namespace: optionalText(given, "namespace"),
    name: optionalText(given, "name"),
    startedAfterMs: optionalCount(given, "startedAfterMs"),
    startedBeforeMs: optionalCount(given, "startedBeforeMs"),
    label: label === undefined ? undefined : { key: text(label, "key"), value: text(label, "value") },
    errorType: optionalText(given, "errorType"),
    inDoubt: own(given, "inDoubt") === undefined ? undefined : flag(given, "inDoubt"),
    parentRunId: optionalText(given, "parentRunId"),
    limit: count(given, "limit"),
    cursor: optionalText(given, "cursor"),
  };
}

function statuses(given: JsonObject): readonly RunStatus[] | undefined {
  const value = own(given, "status");
  if (value === undefined) return undefined;
  if (!Array.isArray(value) || !value.every(isRunStatus)) throw refused("status", `a list of ${RUN_STATUSES.join(", ")}`);
  return value;
}

function isRunStatus(value: unknown): value is RunStatus {
  return RUN_STATUSES.some((status) => status === value);
}

export function cloudEvent(given: JsonObject): CloudEvent {
  const parsed = CloudEventSchema.safeParse(given);
  if (parsed.success) return parsed.data as CloudEvent;
  const problem = parsed.error.issues[0];
  throw new AppError("event-invalid", `The event cannot be taken: ${problem?.path.join(".") ?? ""} ${problem?.message ?? "invalid"}.`);
}

export function object(given: JsonObject, name: string): JsonObject {
  const value = own(given, name);
  if (!isJsonObject(value)) throw refused(name, "an object");
  return value;
}

function textMap(given: JsonObject, name: string): Readonly<Record<string, string>> {
  const entries = Object.entries(object(given, name));
  const texts = entries.filter((entry): entry is [string, string] => typeof entry[1] === "string");
  if (texts.length !== entries.length) throw refused(name, "an object of strings");
  return Object.fromEntries(texts);
}

function own(given: JsonObject, name: string): Json | undefined {
  return Object.hasOwn(given, name) ? given[name] : undefined;
}

function refused(name: string, expected: string): AppError {
  return new AppError("usage", `The request is not understood: \`${name}\` must be ${expected}.`, {
    hint: "Both processes must be of the same version of Tutti.",
  });
}
