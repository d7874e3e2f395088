export type {
  AbortAttempt,
  AcquireSlot,
  CancelChild,
  ClearTimer,
  Command,
  EmitEvent,
  EndRun,
  LookUp,
  ReleaseSlot,
  SetTimer,
  StartAttempt,
  StartChild,
  Subscribe,
  SubscriptionFilter,
  Unsubscribe,
} from "./command.ts";
export type { Advanced, EngineContext, FunctionCatalog, FunctionTraits } from "./context.ts";
export type {
  AttemptEnded,
  AttemptIntended,
  AttemptOutcome,
  ChildEnded,
  DoubtName,
  EventReceived,
  LookUpEnded,
  OperatorAction,
  OperatorActed,
  ResumePoint,
  RunRecord,
  RunStarted,
  SettleVerdict,
  SlotDecided,
  TimerFired,
  UnknownReason,
  WorkflowVersion,
} from "./record.ts";
export type { DoubtView, RunView, TaskStatus, TaskView, WaitView } from "./view.ts";
export { advance, createRun, type Fact } from "./advance.ts";
export { type BackOutPlan, captureBackOutPoint, planBackOut, type PlannedUndo, type StayingEffect } from "./back-out-plan.ts";
export { expandUri } from "./evaluate.ts";
export { eventKeyValue, type SubscriptionKey } from "./event-key.ts";
export { collectEvent, type EventGroup, eventTypesOf, inputOfEvents } from "./event-groups.ts";
export { LifecycleDeriver } from "./lifecycle.ts";
export { wantsEvent } from "./listen.ts";
export { CURRENT_FLAGS } from "./flags.ts";
export {
  type Certainty,
  type Condition,
  explore,
  type Fact as PreviewFact,
  type ForeseenCall,
  type Outlook,
  PREVIEW_PATHS_MAX,
} from "./preview/explore.ts";
export type { Foresight, Undecided } from "./preview/foresight.ts";
export type { CallAhead, CallForeseen, ForeseenEffect, WalkStart, World } from "./preview/walk.ts";
export type { Observer } from "./observer.ts";
export { type EventExplanation, explainEvents, type OfferedEvent } from "./explain/explain-event.ts";
export { explainTask, type ExplainTarget, explainWaits } from "./explain/explain-task.ts";
export type { AttemptExplanation, ConditionExplanation, Reason, TaskExplanation, ValueRead } from "./explain/explanation.ts";
export { deserializeState, ENGINE_VERSION, replay, serializeState } from "./replay.ts";
export { serializeRecord } from "./serialize-record.ts";
export { doubtOf, isSameDoubt } from "./operate.ts";
export type { RunState } from "./state.ts";
export { lostAttempts, outstandingCommands, type RunSummary, summarize } from "./summary.ts";
export { deriveRunId, deriveToken } from "./token.ts";
export { attemptSpanKey, type RunTrace, TraceDeriver, traceRun, type TraceSpan } from "./trace-run.ts";
export { captureResumePoint, VIEW_CHILDREN_MAX, viewRun } from "./view-run.ts";
