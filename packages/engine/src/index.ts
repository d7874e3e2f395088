export type {
  AbortAttempt, AcquireSlot, CancelChild, ClearTimer, Command, EmitEvent, EndRun, LookUp, ReleaseSlot, SetTimer, StartAttempt, StartChild, Subscribe, SubscriptionFilter, Unsubscribe,
} from "./command.ts";
export type { Advanced, EngineContext, FunctionCatalog, FunctionTraits } from "./context.ts";
export type {
  AttemptEnded, AttemptIntended, AttemptOutcome, ChildEnded, EventReceived, LookUpEnded, OperatorAction, OperatorActed, ResumePoint, RunRecord, RunStarted, SettleVerdict, SlotDecided, TimerFired, UnknownReason, WorkflowVersion,
} from "./record.ts";
export type { DoubtView, RunView, TaskStatus, TaskView, WaitView } from "./view.ts";
