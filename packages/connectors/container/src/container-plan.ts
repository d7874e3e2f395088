import { isAbsolute, resolve } from "node:path";
import { type Attempt, ConnectorError } from "@tutti/connector-kit";
import type { Json, JsonObject } from "@tutti/model";
import { type ContainerInput, type ContainerSettings, secondsUntilCleanup, stdinOf } from "./container-input.ts";

/** By this a container is found again; see `container-connector.ts`. */
export const TOKEN_LABEL = "dev.tutti.token";
const RUN_LABEL = "dev.tutti.run";
const TASK_LABEL = "dev.tutti.task";
/** `always`, `never` or `eventually`, and the seconds after its end. */
export const CLEANUP_LABEL = "dev.tutti.cleanup";
export const CLEANUP_AFTER_LABEL = "dev.tutti.cleanup-after-seconds";
/** `false`: nobody waits for its end, so that it may be removed without anybody having seen it. */
export const AWAIT_LABEL = "dev.tutti.await";

/** A command that is more than a program's name is for a shell. */
const PROGRAM = /^[\w./-]+$/;

/** The body of the engine's `containers/create`. */
export function containerPlan(input: ContainerInput, attempt: Attempt): JsonObject {
  const { container } = input;
  const { exposed, bindings } = portsOf(container.ports);
  const hasInput = stdinOf(container) !== undefined;
  return {
    Image: container.image,
    ...commandOf(container),
    Env: environmentOf(container.environment, attempt),
    ExposedPorts: exposed,
    Labels: {
      [TOKEN_LABEL]: attempt.token,
      [RUN_LABEL]: attempt.runId,
      [TASK_LABEL]: attempt.taskPath,
      [CLEANUP_LABEL]: container.lifetime.cleanup,
      [CLEANUP_AFTER_LABEL]: String(secondsUntilCleanup(container.lifetime)),
      [AWAIT_LABEL]: String(input.await),
    },
    OpenStdin: hasInput,
    StdinOnce: hasInput,
    AttachStdin: hasInput,
    // Without a terminal both output streams stay apart.
    Tty: false,
    HostConfig: {
      Binds: Object.entries(container.volumes).map(([from, to]) => bindOf(from, to, attempt.baseDirectory)),
      PortBindings: bindings,
      // The output is read from the engine's log, whatever the engine's own default is.
      LogConfig: { Type: "json-file", Config: {} },
    },
  };
}

/**
 * The specification's example reads its arguments as `$1` and `$2`: a command is a shell's text. A program's name alone is called as it is, so
 * that images without a shell can be used; without a command the arguments go to the image's own.
 */
function commandOf({ command, arguments: given }: ContainerSettings): JsonObject {
  const words = given.map(String);
  if (command === undefined || command.trim() === "") return words.length === 0 ? {} : { Cmd: words };
  return PROGRAM.test(command.trim())
    ? { Entrypoint: [command.trim()], Cmd: words }
    : { Entrypoint: ["/bin/sh", "-c", command, "sh"], Cmd: words };
}

function environmentOf(given: ContainerSettings["environment"], attempt: Attempt): Json[] {
  const own = {
    TUTTI_TOKEN: attempt.token,
    TUTTI_RUN: attempt.runId,
    TUTTI_TASK: attempt.taskPath,
    TUTTI_ATTEMPT: String(attempt.number),
  };
  return Object.entries({ ...given, ...own }).flatMap(([name, value]) => (value === null ? [] : [`${name}=${String(value)}`]));
}

const HOST_PORT = /^(?:(\d+\.\d+\.\d+\.\d+):)?(\d{1,5})$/;
const CONTAINER_PORT = /^(\d{1,5})(?:\/(tcp|udp|sctp))?$/;

/** `host port: container port`, as volumes and every container tool have it; `127.0.0.1:8080` binds one address. */
function portsOf(ports: ContainerSettings["ports"]): { readonly exposed: JsonObject; readonly bindings: JsonObject } {
  const exposed: Record<string, Json> = {};
  const bindings: Record<string, { HostIp: string; HostPort: string }[]> = {};
  for (const [from, to] of Object.entries(ports)) {
    const host = HOST_PORT.exec(from);
    const inside = CONTAINER_PORT.exec(String(to));
    if (host === null || inside === null) throw invalid(`The port mapping ${from}: ${to} is not \`host port: container port\`.`);
    const name = `${inside[1]}/${inside[2] ?? "tcp"}`;
    exposed[name] = {};
    (bindings[name] ??= []).push({ HostIp: host[1] ?? "", HostPort: host[2] ?? "" });
  }
  return { exposed, bindings };
}

/** `host path: container path`, with `:ro` for what is only read; a bare name is a volume of the engine. */
function bindOf(from: string, to: string, baseDirectory: string | undefined): string {
  if (!to.startsWith("/")) throw invalid(`The volume ${from} needs an absolute path in the container, not "${to}".`);
  if (from.includes(":")) throw invalid(`The volume "${from}" has a colon in its name, which an engine can't take.`);
  if (isAbsolute(from) || !from.includes("/")) return `${from}:${to}`;
  if (baseDirectory === undefined) throw invalid(`The volume "${from}" is relative, and this workflow came without a directory.`);
  return `${resolve(baseDirectory, from)}:${to}`;
}

function invalid(message: string): ConnectorError {
  return new ConnectorError(message, { kind: "validation", outcome: "never-began" });
}
