import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { AppError } from "@tutti/model";
import type { LogLine } from "@tutti/runtime";
import type { RunView } from "@tutti/engine";
import { connectOnly, connectOrOpen, type Link } from "./connect.ts";
import type { Host, HostOptions } from "./host.ts";
import { ConnectionLost } from "./socket-client.ts";
import { REPEATABLE_CALLS, type StreamCall, type UnaryCall } from "./service-calls.ts";
import type { OwnerInfo, TuttiService } from "./service.ts";

/** Owners may come and go while a command runs; more often than this in one call means that something takes them down. */
const RELINKS_MAX = 5;
/** How long one that only watches waits for the next owner: a restart of `tutti up` takes less. */
const NEXT_OWNER_MS = 5000;
const LOOK_AGAIN_MS = 100;

/**
 * The service of a `tutti` command: through whoever owns the data directory now. When that process ends, the next one is found, or this
 * process becomes the owner and goes on with the runs it had asked for, so a command that waits for a run does not care who drives it.
 */
export class LinkedService implements TuttiService {
  readonly #options: HostOptions;
  /** Runs this process asked somebody to drive: whoever owns the directory next is asked again. */
  readonly #asked = new Set<string>();
  #link: Link;
  #relinking: Promise<Link> | undefined;
  #isClosed = false;

  private constructor(options: HostOptions, link: Link) {
    this.#options = options;
    this.#link = link;
  }

  /** @throws AppError `owner-unreachable` and what opening the store throws. */
  static async open(options: HostOptions): Promise<LinkedService> {
    return new LinkedService(options, await connectOrOpen(options));
  }

  get owner(): OwnerInfo {
    return this.#link.kind === "here" ? this.#link.host.service.owner : { where: "elsewhere", ...this.#link.client.hello };
  }

  /** The host, when this process owns the directory. */
  get host(): Host | undefined {
    return this.#link.kind === "here" ? this.#link.host : undefined;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#link.kind === "here") await this.#link.host.stop();
    else this.#link.client.close();
  }

  publish: TuttiService["publish"] = (document) => this.#call("publish", document, (service) => service.publish(document));
  listDefinitions: TuttiService["listDefinitions"] = () => this.#call("listDefinitions", {}, (service) => service.listDefinitions());
  loadDefinition: TuttiService["loadDefinition"] = (namespace, name, version) =>
    this.#call("loadDefinition", { namespace, name, version }, (service) => service.loadDefinition(namespace, name, version));
  startRun: TuttiService["startRun"] = async (request) => {
    // A key of our own makes a start safe to repeat when its answer is lost with the owner.
    const keyed = { ...request, startKey: request.startKey ?? randomUUID() };
    const started = await this.#call("startRun", keyed, (service) => service.startRun(keyed));
    this.#asked.add(started.runId);
    return started;
  };
  previewRun: TuttiService["previewRun"] = (request) => this.#call("previewRun", request, (service) => service.previewRun(request));
  startPreviewed: TuttiService["startPreviewed"] = async (request) => {
    const started = await this.#call("startPreviewed", request, (service) => service.startPreviewed(request));
    this.#asked.add(started.runId);
    return started;
  };
  operate: TuttiService["operate"] = async (request) => {
    const view = await this.#call("operate", request, (service) => service.operate(request));
    this.#asked.add(request.runId);
    return view;
  };
  drive: TuttiService["drive"] = async (runId) => {
    this.#asked.add(runId);
    await this.#call("drive", { runId }, (service) => service.drive(runId));
  };
  listSchedules: TuttiService["listSchedules"] = () => this.#call("listSchedules", {}, (service) => service.listSchedules());
  showSchedule: TuttiService["showSchedule"] = (namespace, name) =>
    this.#call("showSchedule", { namespace, name }, (service) => service.showSchedule(namespace, name));
  setSchedule: TuttiService["setSchedule"] = (namespace, name, isEnabled) =>
    this.#call("setSchedule", { namespace, name, isEnabled }, (service) => service.setSchedule(namespace, name, isEnabled));
  fireSchedule: TuttiService["fireSchedule"] = async (request) => {
    const fired = await this.#call("fireSchedule", request, (service) => service.fireSchedule(request));
    this.#asked.add(fired.runId);
    return fired;
  };
  nextInstants: TuttiService["nextInstants"] = (namespace, name, count) =>
    this.#call("nextInstants", { namespace, name, count }, (service) => service.nextInstants(namespace, name, count));
  listProviders: TuttiService["listProviders"] = () => this.#call("listProviders", {}, (service) => service.listProviders());
  addProvider: TuttiService["addProvider"] = (request) => this.#call("addProvider", request, (service) => service.addProvider(request));
  checkProvider: TuttiService["checkProvider"] = (name) => this.#call("checkProvider", { name }, (service) => service.checkProvider(name));
  removeProvider: TuttiService["removeProvider"] = (name) =>
    this.#call("removeProvider", { name }, (service) => service.removeProvider(name));
  acceptEvent: TuttiService["acceptEvent"] = (event) => this.#call("acceptEvent", { event }, (service) => service.acceptEvent(event));
  listEvents: TuttiService["listEvents"] = (limit) => this.#call("listEvents", { limit }, (service) => service.listEvents(limit));
  show: TuttiService["show"] = (runId, options) => this.#call("show", { runId, ...options }, (service) => service.show(runId, options));
  explain: TuttiService["explain"] = (runId, options) =>
    this.#call("explain", { runId, ...options }, (service) => service.explain(runId, options));
  planBackOut: TuttiService["planBackOut"] = (runId, options) =>
    this.#call("planBackOut", { runId, ...options }, (service) => service.planBackOut(runId, options));
  list: TuttiService["list"] = (query) => this.#call("list", query, (service) => service.list(query));
  resolveRunId: TuttiService["resolveRunId"] = (text) => this.#call("resolveRunId", { text }, (service) => service.resolveRunId(text));
  loadRow: TuttiService["loadRow"] = (runId) => this.#call("loadRow", { runId }, (service) => service.loadRow(runId));
  waitFor: TuttiService["waitFor"] = (runId, until, signal) =>
    this.#call("waitFor", { runId, until }, (service) => service.waitFor(runId, until, signal), signal);
  records: TuttiService["records"] = (runId, fromSeq, limit) =>
    this.#call("records", { runId, fromSeq, limit }, (service) => service.records(runId, fromSeq, limit));
  prune: TuttiService["prune"] = (request) => this.#call("prune", request, (service) => service.prune(request));
  backup: TuttiService["backup"] = (request) => this.#call("backup", request, (service) => service.backup(request));
  lifecycleEvents: TuttiService["lifecycleEvents"] = (runId) =>
    this.#call("lifecycleEvents", { runId }, (service) => service.lifecycleEvents(runId));
  trace: TuttiService["trace"] = (runId) => this.#call("trace", { runId }, (service) => service.trace(runId));
  diagnose: TuttiService["diagnose"] = () => this.#call("diagnose", {}, (service) => service.diagnose());

  watch: TuttiService["watch"] = (runId, signal) =>
    this.#stream<RunView>("watch", { runId }, signal, (service) => service.watch(runId, signal), false);
  logs: TuttiService["logs"] = (runId, options) => {
    const { signal, ...given } = options;
    return this.#stream<LogLine>("logs", { runId, ...given }, signal, (service) => service.logs(runId, options), true);
  };

  async #call<Result>(
    call: UnaryCall,
    given: object,
    here: (service: TuttiService) => Promise<Result>,
    signal?: AbortSignal,
  ): Promise<Result> {
    for (let relinks = 0; ; relinks++) {
      const link = this.#link;
      try {
        if (link.kind === "here") return await here(link.host.service);
        // The owner is the same program; what it answers is what its runtime returned.
        return (await link.client.call(call, given, signal)) as Result;
      } catch (error) {
        await this.#relinkAfter(error, link, relinks, call);
      }
    }
  }

  /** Goes on over a change of owner. `counted` streams begin at the beginning each time: what was seen is left out. */
  async *#stream<Value>(
    call: StreamCall,
    given: object,
    signal: AbortSignal,
    here: (service: TuttiService) => AsyncIterable<Value>,
    isCounted: boolean,
  ): AsyncGenerator<Value, void> {
    let seen = 0;
    for (let relinks = 0; ; relinks++) {
      const link = this.#link;
      try {
        let position = 0;
        const source = link.kind === "here" ? here(link.host.service) : link.client.stream(call, given, signal);
        for await (const value of source) {
          if (isCounted && position++ < seen) continue;
          seen++;
          // As in `#call`: the same program answers.
          yield value as Awaited<Value>;
        }
        return;
      } catch (error) {
        await this.#relinkAfter(error, link, relinks, call);
      }
    }
  }

  /** Returns when the call may run again on a new link; else throws what the user should read. */
  async #relinkAfter(error: unknown, link: Link, relinks: number, call: UnaryCall | StreamCall): Promise<void> {
    if (link.kind === "here" || this.#isClosed || !isLeft(error)) throw error;
    const isRepeatable = !(error instanceof ConnectionLost) || isLong(call) || REPEATABLE_CALLS.has(call);
    if (!isRepeatable || relinks >= RELINKS_MAX) {
      throw new AppError(
        "owner-unreachable",
        "The process that owns the data directory went away before it answered: whether the command took effect is not known.",
        { cause: error, hint: "Look first: `tutti run list` and `tutti run show RUN`." },
      );
    }
    if (this.#link !== link) return;
    try {
      // Who only looks must not become an owner that drives nothing: it would look for ever, and keep `tutti up` from starting.
      if (isLong(call) && this.#asked.size === 0) this.#link = await this.#nextOwner(error);
      else await this.#relink();
    } catch (failure) {
      // The next owner left as well: the call finds out, and comes here again.
      if (!isLeft(failure)) throw failure;
    }
  }

  /** The next process that owns the directory, which may be about to start. */
  async #nextOwner(cause: unknown): Promise<Link> {
    const giveUpAt = performance.now() + NEXT_OWNER_MS;
    do {
      const client = await connectOnly(this.#options.directory, this.#options.environment);
      if (client !== undefined) return { kind: "elsewhere", client };
      await pause(LOOK_AGAIN_MS);
    } while (performance.now() < giveUpAt);
    throw new AppError("owner-unreachable", "The process that drove the runs has ended; nobody drives them now.", {
      cause,
      hint: "Nothing is lost: `tutti up` drives all runs on, `tutti run resume RUN` one of them.",
    });
  }

  async #relink(): Promise<void> {
    this.#relinking ??= connectOrOpen(this.#options).finally(() => (this.#relinking = undefined));
    this.#link = await this.#relinking;
    for (const runId of this.#asked) {
      if (this.#link.kind === "here") await this.#link.host.service.drive(runId);
      else await this.#link.client.call("drive", { runId });
    }
  }
}

/** Calls that last until something happens. */
function isLong(call: UnaryCall | StreamCall): boolean {
  return call === "watch" || call === "logs" || call === "waitFor";
}

/** Whether a call failed because the owner ended or is ending. */
function isLeft(error: unknown): boolean {
  return error instanceof ConnectionLost || (error instanceof AppError && error.code === "stopping");
}
