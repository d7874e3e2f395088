export type { CrashPointName, Env, LogStore, TimerHandle } from "./env.ts";
export { FunctionTable } from "./function-table.ts";
export { Redactor, StreamRedactor } from "./redactor.ts";
export type { DocumentSource, LogLine, OperateRequest, Runtime, RuntimeReport, StartRunRequest, WaitUntil } from "./runtime.ts";
export { createRuntime, type RuntimeDeps, type RuntimeLimits, STOP_GRACE_MS } from "./runtime-service.ts";
