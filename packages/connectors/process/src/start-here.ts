import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

/** What a process is started with. Streams that are not named go nowhere. */
export interface StartRequest {
  readonly command: string;
  readonly arguments: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly directory: string;
  /** Paths of the file it reads from and of the named pipes it writes to. */
  readonly stdin: string | undefined;
  readonly stdout: string | undefined;
  readonly stderr: string | undefined;
}

/** How a process ended; one of the two is null. */
export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface StartedProcess {
  /** Also the number of its process group. */
  readonly pid: number;
  /** Rejects with a `StarterLostError` when nobody can tell any more. */
  readonly ended: Promise<ProcessExit>;
  /** From here on this process may end without waiting for it. */
  unref(): void;
}

/** Starts a process from this one. @param streams stdin, stdout and stderr. @throws Error of the system when it could not be started. */
export async function startHere(
  request: StartRequest,
  streams: readonly [stdin: number | "ignore", stdout: number | "ignore", stderr: number | "ignore"],
): Promise<StartedProcess> {
  const child = spawn(request.command, request.arguments, {
    cwd: request.directory,
    env: request.environment,
    stdio: [...streams],
    // A group (and session) of its own: it can be ended as a whole, and a Ctrl-C at Tutti's terminal does not reach it.
    detached: true,
  });
  await once(child, "spawn");
  return { pid: child.pid as number, ended: exitOf(child), unref: () => child.unref() };
}

async function exitOf(child: ChildProcess): Promise<ProcessExit> {
  if (child.exitCode !== null || child.signalCode !== null) return { code: child.exitCode, signal: child.signalCode };
  const [code, signal] = (await once(child, "exit")) as [number | null, NodeJS.Signals | null];
  return { code, signal };
}
