import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { type Attempt, ConnectorError } from "@tutti/connector-kit";
import type { Message, StdioTransport } from "./mcp-input.ts";
import { answers, parseMessage, replyTo, type Transport } from "./session.ts";

/** All that a server gets of Tutti's own environment: enough to find programs, and no credentials. */
const INHERITED = ["PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR"];
/** From closing its input to SIGTERM, and from there to SIGKILL. */
const END_MS = 2000;
/** The hard limit of a value in a run. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;

/** A server that is a child of ours, without a shell: one message a line on its standard input and output, its errors in the log. */
export async function openStdio(given: StdioTransport, attempt: Attempt, signal: AbortSignal): Promise<Transport> {
  const environment: Record<string, string> = {};
  for (const name of INHERITED) if (process.env[name] !== undefined) environment[name] = process.env[name];
  const child = spawn(given.command, given.arguments, {
    cwd: attempt.baseDirectory,
    env: { ...environment, ...given.environment, TUTTI_TOKEN: attempt.token },
    stdio: ["pipe", "pipe", "pipe"],
    // A group of its own, so that it is ended with its children.
    detached: true,
  });
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => {});
  child.on("error", (cause) => {
    const why = "code" in cause && cause.code === "ENOENT" ? `there is no program "${given.command}"` : cause.message;
    failed.reject(
      new ConnectorError(`The MCP server could not be started: ${why}.`, { kind: "configuration", outcome: "never-began", cause }),
    );
  });
  await Promise.race([once(child, "spawn"), failed.promise]);

  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const waiting = new Map<Message, (message: Message) => void>();
  const lose = (reason: string): void =>
    failed.reject(
      new ConnectorError(`The MCP server "${given.command}" gave no answer: ${reason}.`, {
        kind: "communication",
        outcome: "unknown",
        retryable: true,
      }),
    );
  const send = async (message: Message): Promise<void> => {
    // A server that has ended closes its input; what it said, or its end, is the error.
    await new Promise<void>((resolve) => child.stdin.write(`${JSON.stringify(message)}\n`, () => resolve()));
  };
  let bytes = 0;
  child.stdin.on("error", () => {});
  createInterface({ input: child.stderr }).on("line", (line) => attempt.log("stderr", `${line}\n`));
  child.stdout.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > ANSWER_BYTES_MAX) {
      lose(`it wrote more than ${ANSWER_BYTES_MAX} bytes`);
      killGroup(child.pid, "SIGKILL");
    }
  });
  createInterface({ input: child.stdout }).on("line", (line) => {
    const message = parseMessage(line);
    for (const [request, resolve] of waiting) if (answers(message, request)) resolve(message);
    const reply = replyTo(message);
    if (reply !== undefined) void send(reply);
  });
  child.once("close", (code, killedBy) => lose(`it ended with ${killedBy ?? `code ${String(code)}`}`));
  const stop = (): void => lose("the attempt was stopped");
  if (signal.aborted) stop();
  else signal.addEventListener("abort", stop, { once: true });

  return {
    target: `"${given.command}"`,
    notify: send,
    agreed: () => {},
    request: async (message) => {
      const answer = Promise.withResolvers<Message>();
      waiting.set(message, answer.resolve);
      await send(message);
      try {
        return await Promise.race([answer.promise, failed.promise]);
      } finally {
        waiting.delete(message);
      }
    },
    close: async () => {
      signal.removeEventListener("abort", stop);
      child.stdin.end();
      for (const order of ["SIGTERM", "SIGKILL"] as const) {
        if (await endsWithin(ended, END_MS)) break;
        killGroup(child.pid, order);
      }
      await ended;
      // What the server started itself and left behind.
      killGroup(child.pid, "SIGKILL");
    },
  };
}

async function endsWithin(ended: Promise<void>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  const isOver = await Promise.race([ended.then(() => true), limit]);
  clearTimeout(timer);
  return isOver;
}

function killGroup(pid: number | undefined, order: "SIGTERM" | "SIGKILL"): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, order);
  } catch {
    // Nothing of it runs any more.
  }
}
