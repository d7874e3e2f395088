import type { NetworkFetch } from "@tutti/connector-kit";
import { AppError, type CloudEvent, type Json } from "@tutti/model";
import type { LifecycleReader } from "@tutti/runtime";
import type { FeedEntry, Store } from "@tutti/store";
import { pause, pauseAfterFailure } from "../delivery/backoff.ts";
import { type Destination, headersOf, placeOf } from "../delivery/destination.ts";
import { post, type PostOutcome } from "../delivery/post.ts";
import type { CursorFile } from "./cursor-file.ts";
import { RunReaders } from "./run-readers.ts";
import type { SinkCounts } from "./sink-counts.ts";

/** Commits told of between two steps of the cursor: what a crash tells again. */
const PAGE = 100;
/** Runs told of at the same time; the events of one run follow each other. */
const LANES = 8;
const TIMEOUT_MS = 10_000;
const PAUSE_MAX_MS = 30_000;
/** The cursor is written this often at most, and when nothing is left to tell: each writing is a sync. */
const SAVE_EVERY_MS = 1000;
/** The sink has understood and will never take this event: it would hold up all others for ever. */
const REFUSALS: ReadonlySet<number> = new Set([400, 413, 422]);
/** Of a run that can't be read; another attempt changes nothing. */
const UNREADABLE: ReadonlySet<string> = new Set(["run-not-found", "history-mismatch", "store-damaged", "definition-not-found"]);
/** Of these ids that many are remembered; one that is forgotten is only tried again. */
const UNREADABLE_MAX = 10_000;
const CONTENT_TYPE = "application/cloudevents+json; charset=utf-8";

export interface SinkSettings extends Destination {
  /** Types of events that are told; one that ends with `*` names all that begin so. */
  readonly types: readonly string[];
}

export interface LifecycleSinkDeps {
  readonly sink: SinkSettings;
  readonly cursors: CursorFile;
  readonly store: Pick<Store, "readFeed" | "feedEnd">;
  readonly send: NetworkFetch;
  readonly readLifecycle: (runId: string) => Promise<LifecycleReader>;
  readonly mask: (value: Json) => Json;
  readonly secret: (name: string) => Promise<Json | undefined>;
  readonly counts: SinkCounts;
  readonly report: (message: string, cause: unknown) => void;
  readonly nowMs: () => number;
}

/**
 * Tells a sink the lifecycle events of all runs: one POST an event, a CloudEvent in structured mode.
 *
 * Every event of what is committed after the sink was first named is told at least once, those of one run in their order; told again they have the
 * same id. Nothing is stored for it but a position in the store's feed, which moves when everything before it was taken. So a sink that is away
 * costs no memory and nothing of the engine: what it missed is derived when it is back.
 */
export class LifecycleSink {
  readonly #deps: LifecycleSinkDeps;
  readonly #readers: RunReaders;
  readonly #stopping = new AbortController();
  readonly #unreadable = new Set<string>();
  #position = 0;
  #savedPosition = 0;
  #savedAtMs = Number.NEGATIVE_INFINITY;
  #wake: () => void = () => undefined;
  #hasNews = false;
  #running: Promise<void> | undefined;
  #isAway = false;

  constructor(deps: LifecycleSinkDeps) {
    this.#deps = deps;
    this.#readers = new RunReaders(deps.readLifecycle);
  }

  /** How many commits have not been told of, at most. */
  async behind(): Promise<number> {
    return Math.max(0, (await this.#deps.store.feedEnd()) - this.#position);
  }

  /** Before anything is committed: where a sink that is new begins is on the disk before it could miss something. */
  async prepare(): Promise<void> {
    const { cursors, store, sink, report } = this.#deps;
    const known = cursors.positionOf(sink.url);
    const end = await store.feedEnd();
    if (known !== undefined && known > end)
      report(
        `The sink ${placeOf(sink.url)} was told more than this store holds, which is not the one it was; it is told what happens from now on`,
        undefined,
      );
    this.#position = Math.min(known ?? end, end);
    if (known !== this.#position) await cursors.save(sink.url, this.#position);
    this.#savedPosition = this.#position;
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Something was committed. */
  committed(): void {
    this.#hasNews = true;
    this.#wake();
  }

  /** Breaks off what is being told: it is told again by the next process. While the runtime still answers. May be called twice. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#wake();
    await this.#running;
    await this.#save().catch((error: unknown) =>
      this.#deps.report("Up to where lifecycle events were told can't be written; some are told again", error),
    );
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    for (let failures = 0; !signal.aborted;) {
      try {
        this.#hasNews = false;
        const page = await this.#deps.store.readFeed(this.#position, PAGE);
        await this.#tell(page);
        if (signal.aborted) return;
        this.#position = page.at(-1)?.position ?? this.#position;
        const isAll = page.length < PAGE;
        if (isAll || performance.now() - this.#savedAtMs > SAVE_EVERY_MS) await this.#saveSoon(isAll);
        if (isAll && !this.#hasNews) await new Promise<void>((resolve) => (signal.aborted ? resolve() : (this.#wake = resolve)));
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        failures += 1;
        if (failures === 1) this.#deps.report("Lifecycle events can't be told now; it is tried again", error);
        await pause(pauseAfterFailure(failures, PAUSE_MAX_MS, undefined), signal);
      }
    }
  }

  /** At once when time has passed since the last one; otherwise whoever comes next writes it. */
  async #saveSoon(isAll: boolean): Promise<void> {
    const leftMs = SAVE_EVERY_MS - (performance.now() - this.#savedAtMs);
    if (isAll && leftMs > 0) await this.#untilNewsOr(leftMs);
    if (performance.now() - this.#savedAtMs >= SAVE_EVERY_MS) await this.#save();
  }

  async #untilNewsOr(ms: number): Promise<void> {
    const over = new AbortController();
    this.#wake = () => over.abort();
    if (this.#hasNews || this.#stopping.signal.aborted) return;
    await pause(ms, over.signal);
  }

  async #save(): Promise<void> {
    if (this.#position === this.#savedPosition) return;
    const position = this.#position;
    await this.#deps.cursors.save(this.#deps.sink.url, position);
    this.#savedPosition = position;
    this.#savedAtMs = performance.now();
  }

  /** Resolves when everything of the page was taken, or with the stop. */
  async #tell(page: readonly FeedEntry[]): Promise<void> {
    const byRun = new Map<string, FeedEntry[]>();
    for (const entry of page) {
      if (entry.runId === undefined) this.#deps.counts.events.lost += 1;
      else byRun.set(entry.runId, [...(byRun.get(entry.runId) ?? []), entry]);
    }
    const left = byRun.entries();
    const lane = async (): Promise<void> => {
      for (const [runId, entries] of left) await this.#tellRun(runId, entries);
    };
    const lanes = await Promise.allSettled(Array.from({ length: Math.min(LANES, byRun.size) }, lane));
    for (const one of lanes) if (one.status === "rejected") throw one.reason;
  }

  async #tellRun(runId: string, entries: readonly FeedEntry[]): Promise<void> {
    const [first] = entries;
    if (first === undefined || this.#stopping.signal.aborted) return;
    try {
      if (this.#unreadable.has(runId)) throw new AppError("history-mismatch", "The run could not be read before.");
      const reader = await this.#readers.take(runId, first.seqFirst);
      let isOver = false;
      for (const { seqFirst, seqLast } of entries) {
        for (const event of await reader.read(seqFirst, seqLast)) {
          isOver ||= /\.workflow\.(?:completed|cancelled)\.v1$/.test(event.type);
          if (this.#isWanted(event.type)) await this.#deliver(event);
          if (this.#stopping.signal.aborted) return;
        }
      }
      if (!isOver) this.#readers.giveBack(runId, reader);
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      if (!(error instanceof AppError) || !UNREADABLE.has(error.code)) throw error;
      this.#deps.counts.events.lost += entries.length;
      if (this.#unreadable.has(runId)) return;
      if (this.#unreadable.size >= UNREADABLE_MAX) this.#unreadable.clear();
      this.#unreadable.add(runId);
      this.#deps.report(
        `The lifecycle events of the run ${runId} can't be derived; the sink ${placeOf(this.#deps.sink.url)} is not told them`,
        error,
      );
    }
  }

  #isWanted(type: string): boolean {
    const { types } = this.#deps.sink;
    return types.length === 0 || types.some((wanted) => (wanted.endsWith("*") ? type.startsWith(wanted.slice(0, -1)) : type === wanted));
  }

  /** Until it was taken, or refused for good, or the process stops. */
  async #deliver(event: CloudEvent): Promise<void> {
    const { counts, report, sink } = this.#deps;
    const body = JSON.stringify(this.#masked(event));
    for (let failures = 1; !this.#stopping.signal.aborted; failures += 1) {
      const outcome = await this.#post(body);
      if (this.#stopping.signal.aborted && outcome.kind === "unreachable") return;
      if (outcome.kind === "answered" && outcome.status >= 200 && outcome.status < 300) {
        this.#isAway = false;
        counts.events.delivered += 1;
        return;
      }
      if (outcome.kind === "answered" && REFUSALS.has(outcome.status)) {
        counts.events.refused += 1;
        report(`The sink ${placeOf(sink.url)} refused the event ${event.id} (${outcome.status}); it is left out`, undefined);
        return;
      }
      this.#tellAway(outcome);
      await pause(
        pauseAfterFailure(failures, PAUSE_MAX_MS, outcome.kind === "answered" ? outcome.retryAfterMs : undefined),
        this.#stopping.signal,
      );
    }
  }

  async #post(body: string): Promise<PostOutcome> {
    const { sink, send, secret, nowMs } = this.#deps;
    try {
      const headers = await headersOf(sink.headers, CONTENT_TYPE, secret);
      return await post(send, { url: sink.url, headers, body, timeoutMs: TIMEOUT_MS, signal: this.#stopping.signal, nowMs });
    } catch (error) {
      return { kind: "unreachable", why: error instanceof Error ? error.message : "its headers can't be read" };
    }
  }

  /** Records are masked when they are written; a secret that came later is not in them. What names the event stays as it is. */
  #masked(event: CloudEvent): Json {
    const { id, source, type, specversion, subject } = event;
    // An event is JSON; the type of its members is wider.
    return {
      ...(this.#deps.mask(event as Json) as CloudEvent),
      id,
      source,
      type,
      specversion,
      ...(subject === undefined ? {} : { subject }),
    } as Json;
  }

  /** Once for each time that it goes away. */
  #tellAway(outcome: PostOutcome): void {
    if (this.#isAway) return;
    this.#isAway = true;
    const what = outcome.kind === "answered" ? `it answered ${outcome.status}` : outcome.why;
    this.#deps.report(
      `The sink ${placeOf(this.#deps.sink.url)} does not take lifecycle events (${what}); they wait, and nothing is lost`,
      undefined,
    );
  }
}
