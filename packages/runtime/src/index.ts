export type { CrashPointName, Env, LogStore, TimerHandle } from "./env.ts";
export { FunctionTable } from "./function-table.ts";
export type { DocumentSource, LogLine, OperateRequest, Runtime, RuntimeReport, StartRunRequest, WaitUntil } from "./runtime.ts";
export { createRuntime, type RuntimeDeps } from "./runtime-service.ts";
