import type { Env, Runtime } from "@tutti/runtime";
import type { Store } from "@tutti/store";
import type { DataDirectory } from "../data-directory.ts";
import type { LifecycleSink, SinkSettings } from "../lifecycle/lifecycle-sink.ts";
import type { HostCounts } from "../metrics/host-counts.ts";
import type { HostSettings } from "../settings.ts";
import type { TraceExporter } from "../traces/trace-exporter.ts";
import type { TraceTarget } from "../traces/trace-settings.ts";

export interface OutletDeps {
  readonly directory: DataDirectory;
  readonly runtime: Runtime;
  readonly store: Store;
  readonly env: Env;
  readonly settings: HostSettings;
  readonly counts: HostCounts;
  readonly report: (message: string, cause: unknown) => void;
}

/** Who is told of runs by this process, besides those who ask: a trace collector, sinks of lifecycle events. */
export class Outlets {
  readonly #exporter: TraceExporter | undefined;
  readonly #sinks: readonly LifecycleSink[];

  private constructor(exporter: TraceExporter | undefined, sinks: readonly LifecycleSink[]) {
    this.#exporter = exporter;
    this.#sinks = sinks;
  }

  /** Before the runtime starts, so that nothing that it commits is missed. What nobody asked for is not loaded. */
  static async prepare(
    given: { readonly traces: TraceTarget | undefined; readonly sinks: readonly SinkSettings[] },
    deps: OutletDeps,
  ): Promise<Outlets> {
    const exporter = given.traces === undefined ? undefined : await prepareExporter(given.traces, deps);
    return new Outlets(exporter, given.sinks.length === 0 ? [] : await prepareSinks(given.sinks, deps));
  }

  /** Once the runtime answers. */
  start(): void {
    for (const sink of this.#sinks) sink.start();
  }

  /** While the runtime still answers: what is told is derived from what it has stored. */
  async stop(): Promise<void> {
    await Promise.all([this.#exporter?.stop(), ...this.#sinks.map((sink) => sink.stop())]);
  }
}

/** What all outlets are given. */
function common({ runtime, env, settings, report }: OutletDeps): {
  readonly send: HostSettings["operatorNetwork"]["fetch"];
  readonly mask: Runtime["mask"];
  readonly secret: Env["secret"];
  readonly report: OutletDeps["report"];
  readonly nowMs: () => number;
} {
  return {
    send: (url, init) => settings.operatorNetwork.fetch(url, init),
    mask: (value) => runtime.mask(value),
    secret: (name) => env.secret(name),
    report,
    nowMs: () => env.wallClockMs(),
  };
}

async function prepareExporter(target: TraceTarget, deps: OutletDeps): Promise<TraceExporter> {
  const { TraceExporter } = await import("../traces/trace-exporter.ts");
  const { runtime, counts, store } = deps;
  const exporter = new TraceExporter({ ...common(deps), target, trace: (runId) => runtime.trace(runId), counts: counts.traces });
  exporter.start(store);
  return exporter;
}

async function prepareSinks(settings: readonly SinkSettings[], deps: OutletDeps): Promise<readonly LifecycleSink[]> {
  const [{ LifecycleSink }, { CursorFile }] = await Promise.all([
    import("../lifecycle/lifecycle-sink.ts"),
    import("../lifecycle/cursor-file.ts"),
  ]);
  const { runtime, counts, store, directory } = deps;
  const cursors = await CursorFile.load(directory);
  const readLifecycle: Runtime["readLifecycle"] = (runId) => runtime.readLifecycle(runId);
  const sinks = settings.map((sink) => new LifecycleSink({ ...common(deps), sink, cursors, store, readLifecycle, counts: counts.sinks }));
  for (const sink of sinks) await sink.prepare();
  counts.sinks.behind = async () => Math.max(...(await Promise.all(sinks.map((sink) => sink.behind()))));
  const commit = store.commit.bind(store);
  store.commit = async (batch) => {
    const result = await commit(batch);
    for (const sink of sinks) sink.committed();
    return result;
  };
  return sinks;
}
