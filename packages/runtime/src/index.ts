export type { CrashPointName, Env, LogStore, TimerHandle } from "./env.ts";
export type { DocumentSource, LogLine, OperateRequest, Runtime, RuntimeReport, StartRunRequest, WaitUntil } from "./runtime.ts";
