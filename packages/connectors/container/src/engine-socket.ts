import { existsSync } from "node:fs";
import { ConnectorError } from "@tutti/connector-kit";

/**
 * The Unix socket of the engine: the operator's setting, else DOCKER_HOST, else the first there is of Docker's and Podman's usual places.
 *
 * @throws ConnectorError never-began: an engine behind TCP is refused by name, since whoever reaches that port rules its machine.
 */
export function engineSocket(setting: string | undefined, environment: Readonly<Record<string, string | undefined>>): string {
  const named = setting ?? (environment["DOCKER_HOST"] || undefined);
  if (named !== undefined) {
    const path = named.startsWith("unix://") ? named.slice("unix://".length) : named;
    if (path.startsWith("/")) return path;
    throw new ConnectorError(`"${named}" is no Unix socket of a container engine: write unix:///path.`, {
      kind: "configuration",
      outcome: "never-began",
    });
  }
  const runtime = environment["XDG_RUNTIME_DIR"];
  const usual = [
    "/var/run/docker.sock",
    ...(runtime === undefined || runtime === "" ? [] : [`${runtime}/docker.sock`, `${runtime}/podman/podman.sock`]),
    "/run/podman/podman.sock",
  ];
  return usual.find((path) => existsSync(path)) ?? "/var/run/docker.sock";
}
