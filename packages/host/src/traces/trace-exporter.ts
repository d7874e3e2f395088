import type { NetworkFetch } from "@tutti/connector-kit";
import type { RunTrace, TraceSpan } from "@tutti/engine";
import { isJsonObject, type Json } from "@tutti/model";
import type { CommitBatch, CommitResult, RunStatus, Store } from "@tutti/store";
import { pause, pauseAfterFailure } from "../delivery/backoff.ts";
import { headersOf, placeOf } from "../delivery/destination.ts";
import { post, type PostOutcome } from "../delivery/post.ts";
import { otlpRequest, otlpSpans } from "./otlp.ts";
import type { TraceCounts } from "./trace-counts.ts";
import type { TraceTarget } from "./trace-settings.ts";

/** Runs that wait to be sent: an hour of a busy installation while the collector is away, and half a megabyte of ids. */
const QUEUE_MAX = 10_000;
/** Runs that end within this time share requests. */
const COLLECT_MS = 1000;
/** Spans of a request: some 600 KB, well below the 4 MiB that collectors take by default. */
const REQUEST_SPANS_MAX = 1000;
/** Share of the event loop that deriving traces may take: runs that end faster than that are left out and counted. */
const DERIVE_SHARE = 0.2;
const PAUSE_MAX_MS = 30_000;
/** A batch that was not taken for this long makes way for the next. */
const BATCH_MS_MAX = 5 * 60_000;
/** How long a stopping process tries to get rid of what waits. */
const STOP_MS = 3000;
/** Statuses after which the same request may be sent again (OTLP 1.x, "Failures"). */
const RETRYABLE: ReadonlySet<number> = new Set([429, 502, 503, 504]);
/** How a run stands that has something to tell. A quarantined one may have taken the process down: it is not replayed. */
const TOLD: ReadonlySet<RunStatus> = new Set(["completed", "cancelled", "faulted"]);

export interface TraceExporterDeps {
  readonly target: TraceTarget;
  readonly send: NetworkFetch;
  readonly trace: (runId: string) => Promise<RunTrace>;
  readonly mask: (value: Json) => Json;
  readonly secret: (name: string) => Promise<Json | undefined>;
  readonly counts: TraceCounts;
  readonly report: (message: string, cause: unknown) => void;
  readonly nowMs: () => number;
}

/**
 * Sends the traces of runs that have ended, or have come to faulted, to an OpenTelemetry collector (OTLP/HTTP, JSON).
 *
 * Best effort: what waits in memory when the process dies, or while the collector is away for long, is not sent and can be fetched by `tutti run
 * trace`. Ids follow from the run, so a trace that is sent again (a run that was resumed) is the same trace. The engine never waits: a commit
 * leaves the id of a run, and nothing more happens in it.
 */
export class TraceExporter {
  readonly #deps: TraceExporterDeps;
  readonly #queue = new Set<string>();
  /** Ends pauses, not requests. */
  readonly #stopping = new AbortController();
  readonly #ending = new AbortController();
  #wake: () => void = () => undefined;
  #running: Promise<void> | undefined;
  #isAway = false;

  constructor(deps: TraceExporterDeps) {
    this.#deps = deps;
  }

  /** Listens between the store and its caller, and begins to send. */
  start(store: Store): void {
    const commit = store.commit.bind(store);
    store.commit = async (batch) => {
      const result = await commit(batch);
      this.#take(batch, result);
      return result;
    };
    this.#running = this.#run();
  }

  /** Tries each batch that waits once more, for a short while. While the runtime still answers. May be called twice. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#wake();
    const timer = setTimeout(() => this.#ending.abort(), STOP_MS);
    await this.#running;
    clearTimeout(timer);
  }

  #take({ runs }: CommitBatch, { verdicts }: CommitResult): void {
    for (const [index, { runId, row }] of runs.entries()) {
      if (row === undefined || !TOLD.has(row.status) || verdicts[index]?.verdict !== "committed") continue;
      if (this.#queue.size >= QUEUE_MAX || this.#stopping.signal.aborted) this.#deps.counts.dropped["queue-full"] += 1;
      else {
        this.#queue.add(runId);
        this.#wake();
      }
    }
  }

  async #run(): Promise<void> {
    const stopping = this.#stopping.signal;
    for (;;) {
      if (this.#queue.size === 0) {
        if (stopping.aborted) return;
        await new Promise<void>((resolve) => (this.#wake = resolve));
        await pause(COLLECT_MS, stopping);
        continue;
      }
      const batch = await this.#gather();
      if (batch.spans.length > 0) await this.#deliver(batch.runs, batch.spans);
      if (this.#ending.signal.aborted) {
        this.#deps.counts.dropped.unreachable += this.#queue.size;
        this.#queue.clear();
      }
    }
  }

  /** The traces of the runs that wait longest, until a request is full. */
  async #gather(): Promise<{ readonly runs: number; readonly spans: readonly object[] }> {
    const spans: object[] = [];
    let runs = 0;
    for (const runId of this.#queue) {
      if (spans.length >= REQUEST_SPANS_MAX) break;
      this.#queue.delete(runId);
      const beganAt = performance.now();
      try {
        spans.push(...otlpSpans(this.#masked(await this.#deps.trace(runId))));
        runs += 1;
      } catch (error) {
        this.#deps.counts.dropped.underivable += 1;
        this.#deps.report(`The trace of the run ${runId} can't be derived; it is not exported`, error);
      }
      await pause((performance.now() - beganAt) * (1 / DERIVE_SHARE - 1), this.#stopping.signal);
    }
    return { runs, spans };
  }

  /** Names come from documents, and what is named there may be a secret all the same. Keys stay: ids follow from them. */
  #masked(trace: RunTrace): RunTrace {
    const text = (given: string): string => {
      const masked = this.#deps.mask(given);
      return typeof masked === "string" ? masked : "";
    };
    const maybe = (given: string | undefined): string | undefined => (given === undefined ? undefined : text(given));
    const spans = trace.spans.map((span): TraceSpan => ({
      ...span,
      name: text(span.name),
      path: maybe(span.path),
      function: maybe(span.function),
      errorType: maybe(span.errorType),
    }));
    return { ...trace, spans };
  }

  async #deliver(runs: number, spans: readonly object[]): Promise<void> {
    const { counts } = this.#deps;
    const untilMs = performance.now() + BATCH_MS_MAX;
    for (let from = 0; from < spans.length; from += REQUEST_SPANS_MAX) {
      const body = JSON.stringify(otlpRequest(spans.slice(from, from + REQUEST_SPANS_MAX)));
      const failure = await this.#send(body, untilMs);
      if (failure === undefined) continue;
      counts.dropped[failure] += runs;
      return;
    }
    counts.exported += runs;
  }

  /** @returns why it was given up, if it was. */
  async #send(body: string, untilMs: number): Promise<"refused" | "unreachable" | undefined> {
    for (let failures = 1; ; failures += 1) {
      const outcome = await this.#post(body);
      if (outcome.kind === "answered" && outcome.status >= 200 && outcome.status < 300) {
        this.#isAway = false;
        this.#tellRejected(outcome.text);
        return undefined;
      }
      const isRefused = outcome.kind === "answered" && !RETRYABLE.has(outcome.status);
      this.#tellFailure(outcome, isRefused);
      if (isRefused) return "refused";
      if (this.#stopping.signal.aborted || performance.now() > untilMs) return "unreachable";
      await pause(
        pauseAfterFailure(failures, PAUSE_MAX_MS, outcome.kind === "answered" ? outcome.retryAfterMs : undefined),
        this.#stopping.signal,
      );
    }
  }

  async #post(body: string): Promise<PostOutcome> {
    const { target, send, secret, nowMs } = this.#deps;
    try {
      const headers = await headersOf(target.headers, "application/json", secret);
      return await post(send, { url: target.url, headers, body, timeoutMs: target.timeoutMs, signal: this.#ending.signal, nowMs });
    } catch (error) {
      return { kind: "unreachable", why: error instanceof Error ? error.message : "its headers can't be read" };
    }
  }

  /** Once for each time that it goes away. */
  #tellFailure(outcome: PostOutcome, isRefused: boolean): void {
    if (this.#isAway) return;
    this.#isAway = true;
    const what = outcome.kind === "answered" ? `it answered ${outcome.status}` : outcome.why;
    const then = isRefused ? "traces are left out until it takes them" : "traces wait, and are left out when it takes long";
    this.#deps.report(`The trace collector ${placeOf(this.#deps.target.url)} does not take traces (${what}); ${then}`, undefined);
  }

  /** An answer may say that some spans were not taken; they must not be sent again. Its words are not told. */
  #tellRejected(text: string): void {
    const rejected = rejectedSpans(text);
    if (rejected > 0) this.#deps.report(`The trace collector ${placeOf(this.#deps.target.url)} rejected ${rejected} spans`, undefined);
  }
}

function rejectedSpans(text: string): number {
  try {
    const answer = JSON.parse(text) as Json;
    const partial = isJsonObject(answer) ? (answer["partialSuccess"] ?? null) : null;
    // A 64-bit number is a text in this encoding, and some write a number all the same.
    return isJsonObject(partial) ? Number(partial["rejectedSpans"] ?? 0) || 0 : 0;
  } catch {
    return 0;
  }
}
