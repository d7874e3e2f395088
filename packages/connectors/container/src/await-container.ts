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
  const captures = {
    stdout: new OutputCapture((line) => attempt.log("stdout", line)),
    stderr: new OutputCapture((line) => attempt.log("stderr", line)),
  };
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
    await readLogs(id, captures, { ...tools, signal });
    const { status, body } = await waited;
    const code = isJsonObject(body) ? body["StatusCode"] : undefined;
    if (status !== 200 || typeof code !== "number") throw gone(id);
    const seen = await tools.containers.inspect(id);
    captures.stdout.end();
    captures.stderr.end();
    return { code, outOfMemory: seen?.outOfMemory ?? false, stdout: captures.stdout.text, stderr: captures.stderr.text };
  } catch (error) {
    if (attempt.signal.aborted) throw new Stopped("the attempt was stopped", false);
    throw error;
  } finally {
    clearInterval(alive);
    over.abort();
    captures.stdout.end();
    captures.stderr.end();
  }
}

/** Until the container has ended and all it wrote is read. */
async function readLogs(
  id: string,
  captures: Readonly<Record<"stdout" | "stderr", OutputCapture>>,
  tools: { readonly engine: EngineClient; readonly attempt: Attempt; readonly signal: AbortSignal },
): Promise<void> {
  const query = { stdout: "1", stderr: "1", follow: "1" };
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
