import type { TuttiService } from "@tutti/host";
import { iso } from "./schedule-json.ts";

/** What the service tells of a provider. */
export type ProviderView = Awaited<ReturnType<TuttiService["checkProvider"]>>;

/** A provider as `--json` prints it. Of credentials there are the names of their secrets only. */
export function providerJson(view: ProviderView): object {
  return {
    name: view.name,
    connector: view.connector,
    configuration: view.configuration,
    credentials: Object.fromEntries(Object.entries(view.credentials).map(([name, secret]) => [name, { secret }])),
    health: view.health === undefined ? null : { at: iso(view.health.atMs), ...healthJson(view.health.found) },
  };
}

function healthJson(found: NonNullable<ProviderView["health"]>["found"]): object {
  const { status } = found;
  const version = found.version ?? null;
  return found.status === "healthy" ? { status, version } : { status, version, problem: found.problem, wayOut: found.wayOut };
}
