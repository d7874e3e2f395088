import { type Attempt, ConnectorError, OUTPUT_BYTES_MAX, OutputCapture } from "@tutti/connector-kit";
import { isJsonObject } from "@tutti/model";
import type { Containers } from "./containers.ts";
import type { EngineClient } from "./engine-client.ts";
import { LogStream } from "./log-stream.ts";

/** How a container ended by itself. */
export interface ContainerEnd {
  /** 128 + number of the signal when it died by one, as engines say it. */
  readonly code: number;
  readonly outOfMemory: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

/** How often a silent container is asked after: well below the five minutes after which an attempt without heartbeat is taken for hung. */
const ALIVE_CHECK_MS = 60_000;

/** The container was ended from here: for flooding its output, or because the attempt was stopped. */
export class Stopped extends Error {
  readonly isFlood: boolean;

  constructor(why: string, isFlood: boolean) {
    super(why);
    this.isFlood = isFlood;
  }
}

/**
 * Follows a running or ended container to its end: its output from the beginning, line by line into the attempt's log.
 *
 * @throws Stopped when the attempt is aborted or the container writes too much; it still runs then. ConnectorError `unknown` when the engine was lost.
 */
export async function awaitContainer(
  id: string,
  tools: { readonly engine: EngineClient; readonly containers: Containers; readonly attempt: Attempt },
): Promise<ContainerEnd> {
  const { engine, attempt } = tools;
  const over = new AbortController();
  const signal = AbortSignal.any([attempt.signal, over.signal]);
  const logged = { stdout: 0, stderr: 0 };
  const live = capturesOf((stream, line) => {
    logged[stream] += 1;
    attempt.log(stream, line);
  });
  let isWhole = false;
  const alive = setInterval(() => {
    // Silence of the engine is no sign of life: then the supervisor may end the attempt.
    tools.containers.inspect(id).then(
      () => attempt.heartbeat(),
      () => {},
    );
  }, ALIVE_CHECK_MS);
  try {
    if (attempt.signal.aborted) throw attempt.signal.reason;
    const waited = engine.ask({ method: "POST", path: `/containers/${id}/wait`, timeoutMs: undefined, signal });
    // When reading fails first, the wait is broken off by `over`, and nobody looks at its failure.
    waited.catch(() => {});
    await readLogs(id, live, { ...tools, signal, follow: true });
    const { status, body } = await waited;
    const code = isJsonObject(body) ? body["StatusCode"] : undefined;
    if (status !== 200 || typeof code !== "number") throw gone(id);
    const seen = await tools.containers.inspect(id);
    // An engine may end a log that is followed before the last of it is written there. When the container has ended all of it is, so what
    // counts is read then, and the live log gets what it lacks.
    const read = { stdout: 0, stderr: 0 };
    const whole = capturesOf((stream, line) => {
      read[stream] += 1;
      if (read[stream] > logged[stream]) attempt.log(stream, line);
    });
    isWhole = true;
    await readLogs(id, whole, { ...tools, signal, follow: false });
    endOf(whole);
    return { code, outOfMemory: seen?.outOfMemory ?? false, stdout: whole.stdout.text, stderr: whole.stderr.text };
  } catch (error) {
    if (attempt.signal.aborted) throw new Stopped("the attempt was stopped", false);
    throw error;
  } finally {
    clearInterval(alive);
    over.abort();
    if (!isWhole) endOf(live);
  }
}

type Captures = Readonly<Record<"stdout" | "stderr", OutputCapture>>;

function capturesOf(onLine: (stream: "stdout" | "stderr", line: string) => void): Captures {
  return { stdout: new OutputCapture((line) => onLine("stdout", line)), stderr: new OutputCapture((line) => onLine("stderr", line)) };
}

function endOf(captures: Captures): void {
  captures.stdout.end();
  captures.stderr.end();
}

/** What the container has written: all there is, or with `follow` until the engine ends it because the container has. */
async function readLogs(
  id: string,
  captures: Captures,
  tools: { readonly engine: EngineClient; readonly attempt: Attempt; readonly signal: AbortSignal; readonly follow: boolean },
): Promise<void> {
  const query = { stdout: "1", stderr: "1", follow: tools.follow ? "1" : "0" };
  const response = await tools.engine.open({ method: "GET", path: `/containers/${id}/logs`, query, signal: tools.signal });
  try {
    if (response.statusCode !== 200) throw gone(id);
    const frames = new LogStream((stream, chunk) => {
      if (captures[stream].add(chunk)) return;
      throw new Stopped(`it wrote more than ${OUTPUT_BYTES_MAX / 1024 / 1024} MiB to ${stream}; write large results to a volume`, true);
    });
    // A stream of HTTP yields buffers; its type leaves that open.
    for await (const chunk of response as AsyncIterable<Buffer>) {
      tools.attempt.heartbeat();
      frames.add(chunk);
    }
  } catch (error) {
    if (error instanceof Stopped || error instanceof ConnectorError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConnectorError(`The connection to the container engine was lost while container ${id.slice(0, 12)} ran: ${reason}.`, {
      kind: "communication",
      outcome: "unknown",
      retryable: true,
      cause: error,
    });
  } finally {
    response.destroy();
  }
}

function gone(id: string): ConnectorError {
  return new ConnectorError(`The container ${id.slice(0, 12)} is gone: somebody removed it, so what became of it is not known.`, {
    kind: "runtime",
    outcome: "answered",
  });
}
