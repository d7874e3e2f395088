export { LEASE_MS } from "./shared-ownership.ts";
export { CRASH_POINTS, type CrashPointName, type Env, type LogStore, type TimerHandle } from "./env.ts";
export { FunctionTable } from "./function-table.ts";
export { Histogram } from "./metrics/histogram.ts";
export {
  ATTEMPT_OUTCOMES,
  EFFECT_CLASSES,
  LOOK_UP_OUTCOMES,
  RuntimeMetrics,
  SECONDS_BOUNDS,
  type RuntimeGauges,
  WORKFLOWS_NAMED_MAX,
} from "./metrics/runtime-metrics.ts";
export type { LifecycleReader } from "./lifecycle-reader.ts";
export type { ReferenceReader, ReferenceRequest } from "./reference-reader.ts";
export { type ChangePreview, readPreview } from "./preview/change-preview.ts";
export { comparePreviews, type PreviewDifference } from "./preview/compare.ts";
export type {
  DocumentSource,
  LogLine,
  OperateRequest,
  PruneReport,
  PruneRequest,
  Runtime,
  RuntimeReport,
  AddProviderRequest,
  FireScheduleRequest,
  PreviewRunRequest,
  StartPreviewedRequest,
  ProviderView,
  ScheduleView,
  StartRunRequest,
  WaitUntil,
} from "./runtime.ts";
export { createRuntime, type RuntimeDeps } from "./runtime-service.ts";
