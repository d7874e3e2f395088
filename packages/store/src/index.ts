export {
  type Fault,
  type FaultDecision,
  createFaultyStore,
  interceptStore,
  type StoreCall,
  type StoreInterceptor,
} from "./faulty-store.ts";
export {
  type Beat,
  type BeatAnswer,
  type ClaimedShard,
  type Leases,
  type MessageExchange,
  type OwnedShard,
  type Receivers,
  type StoreEnds,
} from "./leases.ts";
export { checkBatch } from "./memory-commit.ts";
export { MemoryDisk } from "./memory-disk.ts";
export { createMemoryStore, type SharedDisk } from "./memory-store.ts";
export { encodeRecord, payloadHash, restoreText } from "./record-body.ts";
export { compareNewestFirst, decodeCursor, encodeCursor, pageOf, type RunPlace } from "./run-cursor.ts";
export { compareVersions, highestVersion } from "./semver.ts";
export { NODE_PREFIX, shardOf, SHARDS } from "./shards.ts";
export {
  type CommitBatch,
  type CommitResult,
  type DefinitionKey,
  type DefinitionRow,
  type FeedEntry,
  type FinishedPage,
  type FinishedPlace,
  type FinishedQuery,
  type IncomingEvent,
  type Payload,
  type RecordBody,
  RUN_STATUSES,
  type RunCommit,
  type RunHistory,
  type RunMessage,
  type RunPage,
  type RunQuery,
  type RunRow,
  type RunRowChange,
  type RunStatus,
  type RunVerdict,
  type ProviderRow,
  type ScheduleRow,
  type SlotHolder,
  type SlotRequest,
  type SlotVerdict,
  type Store,
  type StoredEvent,
  type StoredRecord,
  type StoreReport,
  type RunCounts,
  type SlotEntry,
  type Subscriber,
  type SubscriberPage,
  type SubscriberQuery,
  type SubscriptionRow,
} from "./store.ts";
