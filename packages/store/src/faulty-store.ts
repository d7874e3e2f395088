import { AppError } from "@tutti/model";
import type { Leases } from "./leases.ts";
import type { Store } from "./store.ts";

/** A call that reaches the store: which method, and the how-manieth of that method, from 1. */
export interface StoreCall {
  readonly method: Exclude<keyof Store, "stoppedCleanly" | "leases"> | Exclude<keyof Leases, "nodeId" | "onWake">;
  readonly ordinal: number;
}

/** What happens to a call. `delay` waits for what the test supplies, so that virtual time can decide. */
export type Fault =
  | { readonly kind: "none" }
  /** Not executed, reported as failed: `commit-outcome-unknown` unless another error is given. */
  | { readonly kind: "failed-before"; readonly error?: Error }
  /** Executed, then reported as failed. */
  | { readonly kind: "failed-after"; readonly error?: Error }
  /** Executed at once, answered late. */
  | { readonly kind: "late"; readonly until: () => Promise<void> }
  | { readonly kind: "store-full" }
  | { readonly kind: "delay"; readonly until: () => Promise<void> };
export type FaultDecision = (call: StoreCall) => Fault;

/** Puts faults between a caller and a store; `decide` is asked once per call, in the order of the calls. */
export function createFaultyStore(store: Store, decide: FaultDecision): Store {
  const ordinals = new Map<string, number>();
  return interceptStore(store, async (method, execute) => {
    const ordinal = (ordinals.get(method) ?? 0) + 1;
    ordinals.set(method, ordinal);
    return suffer(decide({ method, ordinal }), method, execute);
  });
}

/** What stands between a caller and a store: says when, whether and with which answer a call is executed. */
export type StoreInterceptor = <T>(method: StoreCall["method"], execute: () => Promise<T>) => Promise<T>;

/** The store with every call going through `call`; what is no call is passed on as it is. */
export function interceptStore(store: Store, call: StoreInterceptor): Store {
  return {
    get stoppedCleanly() {
      return store.stoppedCleanly;
    },
    leases: store.leases === undefined ? undefined : interceptLeases(store.leases, call),
    start: () => call("start", () => store.start()),
    stop: (how) => call("stop", () => store.stop(how)),
    commit: (batch) => call("commit", () => store.commit(batch)),
    loadRun: (runId) => call("loadRun", () => store.loadRun(runId)),
    loadRecords: (runId, options) => call("loadRecords", () => store.loadRecords(runId, options)),
    readRecords: (runId, fromSeq, limit) => call("readRecords", () => store.readRecords(runId, fromSeq, limit)),
    readFeed: (afterPosition, limit) => call("readFeed", () => store.readFeed(afterPosition, limit)),
    feedEnd: () => call("feedEnd", () => store.feedEnd()),
    listRuns: (query) => call("listRuns", () => store.listRuns(query)),
    findRunIds: (prefix, limit) => call("findRunIds", () => store.findRunIds(prefix, limit)),
    listRunnable: (afterRunId, limit, shards) => call("listRunnable", () => store.listRunnable(afterRunId, limit, shards)),
    listDue: (nowMs, limit, shards) => call("listDue", () => store.listDue(nowMs, limit, shards)),
    nextWakeAt: (shards) => call("nextWakeAt", () => store.nextWakeAt(shards)),
    putDefinition: (definition) => call("putDefinition", () => store.putDefinition(definition)),
    loadDefinition: (key) => call("loadDefinition", () => store.loadDefinition(key)),
    loadDefinitionByDigest: (digest) => call("loadDefinitionByDigest", () => store.loadDefinitionByDigest(digest)),
    listDefinitions: () => call("listDefinitions", () => store.listDefinitions()),
    acceptEvent: (event) => call("acceptEvent", () => store.acceptEvent(event)),
    readEvents: (tenant, query) => call("readEvents", () => store.readEvents(tenant, query)),
    countRuns: (tenant) => call("countRuns", () => store.countRuns(tenant)),
    listSlots: (key, limit) => call("listSlots", () => store.listSlots(key, limit)),
    listEvents: (tenant, limit) => call("listEvents", () => store.listEvents(tenant, limit)),
    findSubscribers: (query) => call("findSubscribers", () => store.findSubscribers(query)),
    listensAfter: (subscriber) => call("listensAfter", () => store.listensAfter(subscriber)),
    readDispatchCursor: () => call("readDispatchCursor", () => store.readDispatchCursor()),
    writeDispatchCursor: (position) => call("writeDispatchCursor", () => store.writeDispatchCursor(position)),
    deleteEventsBefore: (acceptedAtMs) => call("deleteEventsBefore", () => store.deleteEventsBefore(acceptedAtMs)),
    readMessages: (afterPosition, limit, receivers) => call("readMessages", () => store.readMessages(afterPosition, limit, receivers)),
    putSchedule: (row) => call("putSchedule", () => store.putSchedule(row)),
    loadSchedule: (tenant, namespace, name) => call("loadSchedule", () => store.loadSchedule(tenant, namespace, name)),
    listSchedules: (tenant) => call("listSchedules", () => store.listSchedules(tenant)),
    putProvider: (row) => call("putProvider", () => store.putProvider(row)),
    loadProvider: (tenant, name) => call("loadProvider", () => store.loadProvider(tenant, name)),
    listProviders: (tenant, connector) => call("listProviders", () => store.listProviders(tenant, connector)),
    removeProvider: (tenant, name) => call("removeProvider", () => store.removeProvider(tenant, name)),
    markSuspect: (runId) => call("markSuspect", () => store.markSuspect(runId)),
    readSuspects: () => call("readSuspects", () => store.readSuspects()),
    clearSuspects: (shards) => call("clearSuspects", () => store.clearSuspects(shards)),
    listFinishedDigests: () => call("listFinishedDigests", () => store.listFinishedDigests()),
    listFinished: (query) => call("listFinished", () => store.listFinished(query)),
    condemnRuns: (runIds) => call("condemnRuns", () => store.condemnRuns(runIds)),
    listCondemned: (limit) => call("listCondemned", () => store.listCondemned(limit)),
    sweepRuns: (runIds) => call("sweepRuns", () => store.sweepRuns(runIds)),
    giveBackSpace: (keepBytes) => call("giveBackSpace", () => store.giveBackSpace(keepBytes)),
    check: () => call("check", () => store.check()),
  };
}

function interceptLeases(leases: Leases, call: StoreInterceptor): Leases {
  return {
    nodeId: leases.nodeId,
    beat: (beat) => call("beat", () => leases.beat(beat)),
    handOver: (shards, how) => call("handOver", () => leases.handOver(shards, how)),
    writeCursors: (position, under) => call("writeCursors", () => leases.writeCursors(position, under)),
    exchange: (exchange) => call("exchange", () => leases.exchange(exchange)),
    onWake: (listener) => leases.onWake(listener),
  };
}

async function suffer<T>(fault: Fault, method: string, execute: () => Promise<T>): Promise<T> {
  switch (fault.kind) {
    case "none":
      return execute();
    case "failed-before":
      throw fault.error ?? unknownOutcome(method);
    case "failed-after":
      await execute();
      throw fault.error ?? unknownOutcome(method);
    case "late": {
      const answer = await execute();
      await fault.until();
      return answer;
    }
    case "store-full":
      throw new AppError("store-full", `The store is full: ${method} has written nothing.`);
    case "delay":
      await fault.until();
      return execute();
  }
}

function unknownOutcome(method: string): AppError {
  return new AppError("commit-outcome-unknown", `Whether ${method} was carried out is not known.`);
}
