import { constants as osConstants } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { type Attempt, ConnectorError, OUTPUT_BYTES_MAX, OutputCapture } from "@tutti/connector-kit";
import { endProcessesOf, TERM_GRACE_MS } from "./left-processes.ts";
import { type ProcessStarter, StarterLostError } from "./process-starter.ts";
import type { ProcessExit, StartedProcess } from "./start-here.ts";
import type { InputFile, OutputPipe, Workspace } from "./workspace.ts";

/** A process ready to be started. */
export interface ProcessPlan {
  readonly command: string;
  readonly arguments: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly directory: string;
  readonly stdin: string | undefined;
}

/** What a process is started with, and by whom. */
export interface StartContext {
  readonly workspace: Workspace;
  readonly starter: ProcessStarter;
  readonly attempt: Attempt;
}

/** How a process ended by itself. */
export interface ProcessEnd {
  /** The exit code; 128 + number of the signal when it died by one, as shells say it. */
  readonly code: number;
  readonly signal: string | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** A background process that keeps the streams open is not waited for longer than this after its parent has ended. */
const DRAIN_MS = 2000;
const GROUP_POLL_MS = 20;

/**
 * Runs a process in a group of its own to its end.
 *
 * @throws ConnectorError `never-began`: it could not be started. `answered`: it was ended for flooding its output, which it would do again.
 * `unknown`: an abort ended it. Either way nothing of it runs any more.
 */
export async function runProcess(plan: ProcessPlan, context: StartContext): Promise<ProcessEnd> {
  const [stdout, stderr] = await beforeStart(context.workspace.openPipes());
  try {
    const started = await start(plan, { stdout, stderr }, context);
    return await supervise(started, { stdout, stderr }, context.attempt);
  } finally {
    stdout.reader.destroy();
    stderr.reader.destroy();
  }
}

/** Starts a process that is left to itself: its output goes nowhere, and nobody waits for its end. */
export async function startDetached(plan: ProcessPlan, context: StartContext): Promise<void> {
  const started = await start(plan, undefined, context);
  started.unref();
  // Interpreters read their file while they run. When Tutti ends first, the directory stays behind.
  void started.ended.then(() => context.workspace.remove()).catch(() => {});
}

/** Preparations fail for want of disk space or files; whatever it is, no process has been started. */
export async function beforeStart<T>(preparation: Promise<T>): Promise<T> {
  try {
    return await preparation;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ConnectorError(`The process could not be prepared: ${reason}.`, {
      kind: "runtime",
      outcome: "never-began",
      retryable: true,
      cause,
    });
  }
}

async function start(
  plan: ProcessPlan,
  output: { readonly stdout: OutputPipe; readonly stderr: OutputPipe } | undefined,
  { workspace, starter, attempt }: StartContext,
): Promise<StartedProcess> {
  const input: InputFile | undefined = plan.stdin === undefined ? undefined : await beforeStart(workspace.openInput(plan.stdin));
  if (attempt.signal.aborted)
    throw new ConnectorError("Stopped before the process was started.", { kind: "timeout", outcome: "never-began" });
  const { stdin: _, ...rest } = plan;
  try {
    return await starter.start({ ...rest, stdin: input?.path, stdout: output?.stdout.path, stderr: output?.stderr.path }, [
      input?.file ?? "ignore",
      output?.stdout.childEnd ?? "ignore",
      output?.stderr.childEnd ?? "ignore",
    ]);
  } catch (error) {
    throw error instanceof StarterLostError ? await lostError(error, attempt) : startFailure(error, plan);
  } finally {
    workspace.releaseChildEnds();
  }
}

/** Nobody hears of its end any more: whatever of it runs is ended, as after a death of Tutti. */
async function lostError(error: StarterLostError, attempt: Attempt): Promise<ConnectorError> {
  await endProcessesOf(attempt.token);
  return new ConnectorError(`The process was ended: ${error.message}.`, { kind: "runtime", outcome: "unknown", cause: error });
}

function startFailure(error: unknown, plan: ProcessPlan): ConnectorError {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  const isShortage = code === "EAGAIN" || code === "ENOMEM" || code === "EMFILE" || code === "ENFILE";
  const reason =
    code === "ENOENT"
      ? `there is no program "${plan.command}", or no directory ${plan.directory}`
      : code === "E2BIG"
        ? "its arguments and environment are too long; pass them by stdin"
        : error instanceof Error
          ? error.message
          : String(error);
  return new ConnectorError(`The process could not be started: ${reason}.`, {
    kind: isShortage ? "runtime" : "configuration",
    outcome: "never-began",
    retryable: isShortage,
    cause: error,
  });
}

async function supervise(
  child: StartedProcess,
  pipes: { readonly stdout: OutputPipe; readonly stderr: OutputPipe },
  attempt: Attempt,
): Promise<ProcessEnd> {
  const stop = new AbortController();
  const onAbort = (): void => stop.abort("the attempt was stopped");
  if (attempt.signal.aborted) onAbort();
  else attempt.signal.addEventListener("abort", onAbort, { once: true });
  const captures = {
    stdout: new OutputCapture((line) => attempt.log("stdout", line)),
    stderr: new OutputCapture((line) => attempt.log("stderr", line)),
  };
  const read = (stream: "stdout" | "stderr"): Promise<void> =>
    readAll(pipes[stream], captures[stream], {
      onOutput: () => attempt.heartbeat(),
      onFlood: () => stop.abort(`it wrote more than ${OUTPUT_BYTES_MAX / 1024 / 1024} MiB to ${stream}; write large results to a file`),
    });
  const drained = Promise.all([read("stdout"), read("stderr")]);
  const exited = child.ended.then(endOf);
  exited.catch(() => {});
  try {
    const stopped = new Promise<"stopped">((resolve) => {
      if (stop.signal.aborted) resolve("stopped");
      else stop.signal.addEventListener("abort", () => resolve("stopped"), { once: true });
    });
    const end = await Promise.race([exited, stopped]);
    if (end === "stopped") {
      await endGroup(child, exited, attempt);
      throw stoppedError(String(stop.signal.reason), attempt.masked(captures.stderr.text));
    }
    await Promise.race([drained, sleep(DRAIN_MS, undefined, { ref: false })]);
    captures.stdout.end();
    captures.stderr.end();
    // Flooding may be noticed only after the process itself has ended.
    if (stop.signal.aborted) {
      await endGroup(child, exited, attempt);
      throw stoppedError(String(stop.signal.reason), attempt.masked(captures.stderr.text));
    }
    return { ...end, stdout: captures.stdout.text, stderr: captures.stderr.text };
  } catch (error) {
    throw error instanceof StarterLostError ? await lostError(error, attempt) : error;
  } finally {
    attempt.signal.removeEventListener("abort", onAbort);
    captures.stdout.end();
    captures.stderr.end();
  }
}

function readAll(
  { reader }: OutputPipe,
  capture: OutputCapture,
  on: { readonly onOutput: () => void; readonly onFlood: () => void },
): Promise<void> {
  return new Promise((resolve) => {
    reader.on("data", (chunk: Buffer) => {
      on.onOutput();
      if (!capture.add(chunk)) {
        on.onFlood();
        reader.destroy();
      }
    });
    // A broken pipe is the end of the output; how the process ended is told by its exit.
    reader.on("error", () => {});
    reader.on("close", resolve);
  });
}

function endOf({ code, signal }: ProcessExit): { readonly code: number; readonly signal: string | undefined } {
  if (signal === null) return { code: code ?? 0, signal: undefined };
  return { code: 128 + osConstants.signals[signal], signal };
}

/** TERM to the whole group, KILL after the grace; then whatever left the group but carries the token. */
async function endGroup({ pid }: StartedProcess, exited: Promise<unknown>, attempt: Attempt): Promise<void> {
  const deadlineMs = performance.now() + TERM_GRACE_MS;
  signalGroup(pid, "SIGTERM");
  while (isGroupAlive(pid) && performance.now() < deadlineMs) await sleep(GROUP_POLL_MS);
  signalGroup(pid, "SIGKILL");
  await exited;
  await endProcessesOf(attempt.token);
}

function signalGroup(pid: number, signal: "SIGTERM" | "SIGKILL" | 0): boolean {
  try {
    return process.kill(-pid, signal);
  } catch {
    // ESRCH: the group is gone. EPERM: a member became another user (sudo); nothing can be done to it from here.
    return false;
  }
}

function isGroupAlive(pid: number): boolean {
  return signalGroup(pid, 0);
}

function stoppedError(why: string, stderr: string): ConnectorError {
  const isFlood = !why.startsWith("the attempt");
  return new ConnectorError(`The process was ended: ${why}.`, {
    kind: isFlood ? "runtime" : "timeout",
    // A flood is the process's own doing, as an exit code would be: whatever it did, it has ended.
    outcome: isFlood ? "answered" : "unknown",
    detail: { stderr: excerptOf(stderr) },
  });
}

/** The end of what a process complained about: that is where the reason stands. Secrets are masked in it before: half of one is not recognised. */
const EXCERPT_CHARACTERS_MAX = 2048;

export function excerptOf(text: string): string {
  return text.length <= EXCERPT_CHARACTERS_MAX ? text : `…${text.slice(-EXCERPT_CHARACTERS_MAX)}`;
}
