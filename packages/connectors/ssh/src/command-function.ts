import { constants as osConstants } from "node:os";
import { type Attempt, type ConnectorFunction, parseInput, z } from "@tutti/connector-kit";
import { ask } from "./host-program.ts";
import { quoted } from "./names.ts";
import { Captures, floodFailure, outputOf } from "./process-end.ts";
import { exportsOf, ProcessInput, ProcessOutput, PROGRAM_CHARACTERS_MAX, stdinOf, Text, Words } from "./process-input.ts";
import { FloodError, type SshDeps, type SshSession } from "./ssh-session.ts";
import { withSession } from "./with-session.ts";

/** Each holds a connection and up to 32 MiB of output. */
export const PROCESSES_MAX = 64;
/** Below the time that a stopped attempt is given. What ends it on the host goes on there when this is over. */
export const END_MS = 2500;

const Input = z.strictObject({
  command: z
    .union([Text.min(1).max(PROGRAM_CHARACTERS_MAX), Words])
    .meta({ description: "Text for the host's POSIX shell; or a program with its arguments, word by word, which no shell reads" }),
  ...ProcessInput,
});

/** Variable pid: of the group that ends, its leader. */
const END_GROUP = `
kill -s TERM -- "-$pid" 2> /dev/null || kill -s TERM -- "$pid" 2> /dev/null
n=0
while kill -s 0 -- "-$pid" 2> /dev/null && [ "$n" -lt 20 ]; do sleep 0.1; n=$((n + 1)); done
kill -s KILL -- "-$pid" 2> /dev/null
printf 'done\\n'
`;

/** Unsafe: nothing tells what became of a command whose connection was lost. An author who knows better says so with `metadata.tutti.effect`. */
export function commandFunctions(deps: SshDeps): Readonly<Record<string, ConnectorFunction>> {
  return {
    "command.run:1": {
      title: "Run a command",
      input: Input,
      output: ProcessOutput,
      effect: "unsafe",
      requestTimeoutMs: deps.limits.programMs,
      settleMs: 0,
      concurrencyMax: PROCESSES_MAX,
      run: (given, attempt) => withSession(deps, attempt, (session) => runCommand(session, parseInput(Input, given), attempt)),
    },
  };
}

async function runCommand(session: SshSession, input: z.infer<typeof Input>, attempt: Attempt): Promise<z.infer<typeof ProcessOutput>> {
  const captures = new Captures(attempt);
  let pid: string | undefined;
  try {
    const end = await session.run({
      text: (mark) => commandText(input, attempt, mark),
      input: stdinOf(input.stdin),
      onAlive: () => attempt.heartbeat(),
      onStarted: (word) => (pid = /^\d+$/.test(word) ? word : undefined),
      onOutput: (stream, chunk) => captures.take(stream, chunk),
    });
    if (end.word === "no-directory")
      throw session.refusal(
        `There is no directory ${input.directory ?? ""} on ${session.provider.host}, or ${session.provider.user} may not enter it.`,
      );
    const code = end.code ?? 128 + (osConstants.signals[`SIG${end.signal ?? ""}` as NodeJS.Signals] ?? 0);
    return outputOf(session, "command", { code, codes: input.codes, signal: end.signal, captures });
  } catch (error) {
    captures.end();
    const isFlood = error instanceof FloodError;
    if (pid !== undefined && (isFlood || attempt.signal.aborted) && !session.isLost)
      await ask(session, END_GROUP, { variables: { pid }, despiteAbortMs: END_MS }).catch(() => {});
    if (!isFlood) throw error;
    if (pid === undefined) throw session.strange();
    throw floodFailure("command");
  }
}

function commandText({ command, directory, environment }: z.infer<typeof Input>, attempt: Attempt, mark: string): string {
  return [
    ...(directory === undefined ? [] : [`cd -- ${quoted(directory)} 2> /dev/null || { printf '%s\\n' '${mark}no-directory'; exit 0; }`]),
    ...exportsOf(environment, attempt),
    `printf '%s\\n' '${mark}' >&2`,
    `printf '%s%s\\n' '${mark}' "$$"`,
    typeof command === "string" ? `eval ${quoted(command)}` : `exec ${command.map(quoted).join(" ")}`,
  ].join("\n");
}
