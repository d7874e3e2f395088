import { type Attempt, ConnectorError, type ConnectorFunction, parseInput, z } from "@tutti/connector-kit";
import { END_MS, PROCESSES_MAX } from "./command-function.ts";
import { ask, type HostAnswer, HostRefusal, programOf } from "./host-program.ts";
import { quoted } from "./names.ts";
import { Captures, floodFailure, outputOf } from "./process-end.ts";
import { exportsOf, ProcessInput, ProcessOutput, PROGRAM_CHARACTERS_MAX, stdinOf, Text, Words } from "./process-input.ts";
import { FOLLOW_SCRIPT, OUTCOME_OF_SCRIPT, runnerText, SETTLE_SCRIPT, START_SCRIPT, STOP_SCRIPT } from "./script-programs.ts";
import { FloodError, type SshDeps, type SshSession } from "./ssh-session.ts";
import { afterwards, withSession } from "./with-session.ts";

const Input = z.strictObject({
  script: Text.min(1).max(PROGRAM_CHARACTERS_MAX).meta({ description: "Its text" }),
  interpreter: z
    .union([
      Text.min(1)
        .max(1000)
        .transform((program) => [program]),
      Words,
    ])
    .default(["/bin/sh"])
    .meta({ description: "What reads it: a program, or a program with options: [python3, -u]" }),
  arguments: z
    .array(z.union([Text, z.number(), z.boolean()]))
    .max(1000)
    .default([])
    .meta({ description: "Its arguments; everybody on the host can read them, so secrets go into environment or stdin" }),
  ...ProcessInput,
});

/**
 * Idempotent: a script runs detached on the host, in a directory of its token, where its outputs and its exit code are kept until they are stored. An
 * attempt takes over what an earlier one has begun, running or ended, so a lost connection or a crash of Tutti starts nothing a second time and loses
 * nothing. A script that a boot of the host has ended is a failure, which the author may catch.
 */
export function scriptFunctions(deps: SshDeps): Readonly<Record<string, ConnectorFunction>> {
  return {
    "script.run:1": {
      title: "Run a script, which goes on when the connection is lost and is found again",
      input: Input,
      output: ProcessOutput,
      effect: "idempotent",
      // It goes on out of sight on purpose: it is found again.
      requestTimeoutMs: 0,
      settleMs: 0,
      concurrencyMax: PROCESSES_MAX,
      run: async (given, attempt) => {
        const input = parseInput(Input, given);
        return withSession(deps, attempt, (session) => carryOut(session, input, { deps, attempt }));
      },
    },
  };
}

async function carryOut(
  session: SshSession,
  input: z.infer<typeof Input>,
  { deps, attempt }: { readonly deps: SshDeps; readonly attempt: Attempt },
): Promise<z.infer<typeof ProcessOutput>> {
  try {
    const answer = await start(session, input, attempt);
    // Only from here on: the end of an attempt that came to no script says nothing of what an earlier one has left.
    attempt.afterStored(() => settle(deps, attempt));
    attempt.heartbeat();
    if (answer.values.get("found") === "1")
      attempt.log("info", "takes over the script that an earlier attempt has started; its output follows from the beginning");
    return await awaited(session, input, attempt);
  } catch (error) {
    const isFlood = error instanceof FloodError;
    // The process ends, and its successor finds the script: it may go on.
    const mayGoOn = attempt.signal.reason instanceof Error && attempt.signal.reason.name === "StopError";
    if ((isFlood || (attempt.signal.aborted && !mayGoOn)) && !session.isLost)
      await ask(session, STOP_SCRIPT, { variables: placeOf(session, attempt), despiteAbortMs: END_MS }).catch(() => {});
    throw isFlood ? floodFailure("script") : error;
  }
}

async function start(session: SshSession, input: z.infer<typeof Input>, attempt: Attempt): Promise<HostAnswer> {
  const { directory, environment, interpreter } = input;
  const call = [...interpreter.map(quoted), '"$D/script"', ...input.arguments.map((each) => quoted(String(each)))].join(" ");
  const enter = directory === undefined ? "cd" : `cd -- ${quoted(directory)} 2> /dev/null`;
  const stdin = stdinOf(input.stdin);
  const variables = {
    ...placeOf(session, attempt),
    script: input.script,
    run: runnerText({ enter, exports: exportsOf(environment, attempt), call }),
    bytes: `${stdin.length}`,
  };
  try {
    return await ask(session, START_SCRIPT, { variables, input: stdin });
  } catch (error) {
    if (!(error instanceof HostRefusal)) throw error;
    const { host } = session.provider;
    switch (error.word) {
      case "no-tool":
        throw new ConnectorError(`${host} has no ${error.said}, which scripts need there: install it, or use \`command.run\`.`, {
          kind: "configuration",
          outcome: "answered",
        });
      case "cut":
        throw again(`The standard input of the script did not arrive whole on ${host}; it was not started.`);
      case "not-started":
        throw again(`${host} did not start the script in time.`);
      case "stale":
        throw new ConnectorError(`The outcome of this attempt of the script on ${host} was taken already.`, {
          kind: "runtime",
          outcome: "unknown",
        });
      default:
        throw session.strange();
    }
  }
}

/** Nobody knows yet whether it runs; the next attempt finds it. */
function again(message: string): ConnectorError {
  return new ConnectorError(message, { kind: "communication", outcome: "unknown", retryable: true });
}

function placeOf(session: SshSession, attempt: Attempt): { readonly base: string; readonly token: string; readonly number: string } {
  return { base: session.provider.directory, token: attempt.token, number: `${attempt.number}` };
}

async function awaited(session: SshSession, input: z.infer<typeof Input>, attempt: Attempt): Promise<z.infer<typeof ProcessOutput>> {
  const captures = new Captures(attempt);
  const variables = placeOf(session, attempt);
  try {
    await session.run({
      text: programOf(FOLLOW_SCRIPT, variables),
      onAlive: () => attempt.heartbeat(),
      onOutput: (stream, chunk) => captures.take(stream, chunk),
    });
    const said = (await outcome(session, variables)).values.get("code") ?? "";
    if (said === "no-directory")
      throw session.refusal(
        `There is no directory ${input.directory ?? ""} on ${session.provider.host}, or ${session.provider.user} may not enter it.`,
      );
    const code = Number(said);
    if (said === "" || !Number.isInteger(code)) throw session.strange();
    return outputOf(session, "script", { code, codes: input.codes, signal: undefined, captures });
  } finally {
    captures.end();
  }
}

async function outcome(session: SshSession, variables: Readonly<Record<string, string>>): Promise<HostAnswer> {
  try {
    return await ask(session, OUTCOME_OF_SCRIPT, { variables });
  } catch (error) {
    if (!(error instanceof HostRefusal)) throw error;
    const { host } = session.provider;
    if (error.word === "running") throw again(`The connection to ${host} ended before the script did.`);
    const why = error.word === "gone" ? "somebody has removed its directory" : "it was killed, or the host was booted anew";
    throw new ConnectorError(`The script on ${host} has ended without an exit code: ${why}. What it has done until then is done.`, {
      kind: "runtime",
      outcome: "answered",
    });
  }
}

async function settle(deps: SshDeps, attempt: Attempt): Promise<void> {
  await withSession(deps, afterwards(attempt), (session) => ask(session, SETTLE_SCRIPT, { variables: placeOf(session, attempt) }));
}
