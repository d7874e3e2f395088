import { Histogram, SECONDS_BOUNDS } from "@tutti/runtime";
import type { Store } from "@tutti/store";
import type { ListenAddress } from "./listen-address.ts";
import { type CollectorDeps, MetricsCollector } from "./metrics-collector.ts";
import { MetricsServer } from "./metrics-server.ts";
import { StoreTimes } from "./store-times.ts";

export interface ServedMetrics {
  readonly address: ListenAddress;
  stop(): Promise<void>;
}

/**
 * Serves metrics from now on. Loaded when somebody asked for it: whoever has no metrics pays for a few increments and nothing else.
 *
 * @throws AppError `address-unusable`.
 */
export async function serveMetrics(
  address: ListenAddress,
  deps: Omit<CollectorDeps, "storeTimes" | "store"> & { readonly store: Store; readonly report: (message: string, cause: unknown) => void },
): Promise<ServedMetrics> {
  const storeTimes = new StoreTimes(() => new Histogram(SECONDS_BOUNDS));
  const collector = new MetricsCollector({ ...deps, storeTimes });
  const server = new MetricsServer({ address, collect: () => collector.collect(), report: deps.report });
  const bound = await server.start();
  storeTimes.observe(deps.store);
  collector.start();
  return {
    address: bound,
    stop: async () => {
      collector.stop();
      await server.stop();
    },
  };
}
