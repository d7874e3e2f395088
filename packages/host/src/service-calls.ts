import type { JsonObject } from "@tutti/model";
import * as read from "./call-arguments.ts";
import type { TuttiService } from "./service.ts";

type Served = Omit<TuttiService, "owner" | "close">;

/** Calls that are answered once. The signal ends with the request: cancelled, or its connection closed. */
export const UNARY_CALLS = {
  publish: (service, given) => service.publish(read.documentSource(given)),
  listDefinitions: (service) => service.listDefinitions(),
  loadDefinition: (service, given) =>
    service.loadDefinition(read.text(given, "namespace"), read.text(given, "name"), read.text(given, "version")),
  startRun: (service, given) => service.startRun(read.startRunRequest(given)),
  previewRun: (service, given) => service.previewRun(read.previewRunRequest(given)),
  startPreviewed: (service, given) => service.startPreviewed(read.startPreviewedRequest(given)),
  operate: (service, given) => service.operate(read.operateRequest(given)),
  drive: (service, given) => service.drive(read.text(given, "runId")),
  listSchedules: (service) => service.listSchedules(),
  showSchedule: (service, given) => service.showSchedule(read.text(given, "namespace"), read.text(given, "name")),
  setSchedule: (service, given) =>
    service.setSchedule(read.text(given, "namespace"), read.text(given, "name"), read.flag(given, "isEnabled")),
  fireSchedule: (service, given) => service.fireSchedule(read.fireScheduleRequest(given)),
  nextInstants: (service, given) =>
    service.nextInstants(read.text(given, "namespace"), read.text(given, "name"), read.count(given, "count")),
  listProviders: (service) => service.listProviders(),
  addProvider: (service, given) => service.addProvider(read.addProviderRequest(given)),
  checkProvider: (service, given) => service.checkProvider(read.text(given, "name")),
  removeProvider: (service, given) => service.removeProvider(read.text(given, "name")),
  acceptEvent: (service, given) => service.acceptEvent(read.cloudEvent(read.object(given, "event"))),
  listEvents: (service, given) => service.listEvents(read.count(given, "limit")),
  show: (service, given) =>
    service.show(read.text(given, "runId"), { atSeq: read.optionalCount(given, "atSeq"), atMs: read.optionalCount(given, "atMs") }),
  planBackOut: (service, given) => service.planBackOut(read.text(given, "runId"), { to: read.optionalText(given, "to") }),
  explain: (service, given) => service.explain(read.text(given, "runId"), { task: read.optionalText(given, "task") }),
  list: (service, given) => service.list(read.runQuery(given)),
  resolveRunId: (service, given) => service.resolveRunId(read.text(given, "text")),
  loadRow: (service, given) => service.loadRow(read.text(given, "runId")),
  waitFor: (service, given, signal) => service.waitFor(read.text(given, "runId"), read.waitUntil(given), signal),
  records: (service, given) => service.records(read.text(given, "runId"), read.count(given, "fromSeq"), read.count(given, "limit")),
  prune: (service, given) => service.prune(read.pruneRequest(given)),
  backup: (service, given) => service.backup(read.backupRequest(given)),
  lifecycleEvents: (service, given) => service.lifecycleEvents(read.text(given, "runId")),
  trace: (service, given) => service.trace(read.text(given, "runId")),
  diagnose: (service) => service.diagnose(),
} as const satisfies Partial<Record<keyof Served, (service: Served, given: JsonObject, signal: AbortSignal) => Promise<unknown>>>;

/** Calls that are answered by a stream. */
export const STREAM_CALLS = {
  watch: (service, given, signal) => service.watch(read.text(given, "runId"), signal),
  logs: (service, given, signal) =>
    service.logs(read.text(given, "runId"), { task: read.optionalText(given, "task"), follow: read.flag(given, "follow"), signal }),
} as const satisfies Partial<Record<keyof Served, (service: Served, given: JsonObject, signal: AbortSignal) => AsyncIterable<unknown>>>;

export type UnaryCall = keyof typeof UNARY_CALLS;
export type StreamCall = keyof typeof STREAM_CALLS;

/** Every method of the service is in one of the tables: a new one fails to compile here until it can be called over the socket, too. */
export type Unserved = Exclude<keyof Served, UnaryCall | StreamCall>;
const nothingIsMissing: [Unserved] extends [never] ? true : Unserved = true;
void nothingIsMissing;

/** Calls that may run again when the connection broke before their answer came: they change nothing, or the same thing twice is once. */
export const REPEATABLE_CALLS: ReadonlySet<string> = new Set<UnaryCall>([
  // With the key that every start over the socket carries.
  "startRun",
  "previewRun",
  // A preview is started once.
  "startPreviewed",
  "publish",
  "listDefinitions",
  "loadDefinition",
  "drive",
  "listSchedules",
  "showSchedule",
  "setSchedule",
  "nextInstants",
  "listProviders",
  "checkProvider",
  "acceptEvent",
  "listEvents",
  "show",
  "explain",
  "planBackOut",
  "list",
  "resolveRunId",
  "loadRow",
  "waitFor",
  "records",
  "lifecycleEvents",
  "trace",
  // What is gone is not there the second time.
  "prune",
  "diagnose",
]);

export function isUnaryCall(name: string): name is UnaryCall {
  return Object.hasOwn(UNARY_CALLS, name);
}

export function isStreamCall(name: string): name is StreamCall {
  return Object.hasOwn(STREAM_CALLS, name);
}
