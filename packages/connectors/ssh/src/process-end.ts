import { type Attempt, ConnectorError, OUTPUT_BYTES_MAX, OutputCapture } from "@tutti/connector-kit";
import type { SshSession } from "./ssh-session.ts";

/** The two outputs of a process on a host, and their lines in the attempt's log. */
export class Captures {
  readonly #captures: Readonly<Record<"stdout" | "stderr", OutputCapture>>;
  readonly #attempt: Attempt;

  constructor(attempt: Attempt) {
    this.#attempt = attempt;
    const capture = (stream: "stdout" | "stderr"): OutputCapture => new OutputCapture((line) => attempt.log(stream, attempt.masked(line)));
    this.#captures = { stdout: capture("stdout"), stderr: capture("stderr") };
  }

  /** False when it has said too much. */
  take(stream: "stdout" | "stderr", chunk: Buffer): boolean {
    this.#attempt.heartbeat();
    return this.#captures[stream].add(chunk);
  }

  end(): { readonly stdout: string; readonly stderr: string } {
    this.#captures.stdout.end();
    this.#captures.stderr.end();
    return { stdout: this.#captures.stdout.text, stderr: this.#captures.stderr.text };
  }
}

/** The output of a process that has ended. @throws ConnectorError `runtime` for a code that is a failure. */
export function outputOf(
  session: SshSession,
  what: string,
  how: { readonly code: number; readonly codes: readonly number[]; readonly signal: string | undefined; readonly captures: Captures },
): { code: number; stdout: string; stderr: string } {
  const { code, codes, signal, captures } = how;
  const { stdout, stderr } = captures.end();
  if (codes.includes(code)) return { code, stdout, stderr };
  const ended = signal === undefined ? `ended with code ${code}` : `was ended by SIG${signal}`;
  throw new ConnectorError(`The ${what} on ${session.provider.host} ${ended}.`, {
    kind: "runtime",
    outcome: "answered",
    status: 500,
    detail: { code, stdout: session.excerpt(stdout), stderr: session.excerpt(stderr) },
  });
}

/** It was ended for what it wrote, which it would do again. */
export function floodFailure(what: string): ConnectorError {
  return new ConnectorError(
    `The ${what} was ended: it wrote more than ${OUTPUT_BYTES_MAX / 1024 / 1024} MiB; write large results to a file on the host.`,
    { kind: "runtime", outcome: "answered" },
  );
}
