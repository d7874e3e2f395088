import { ConnectorError } from "@tutti/connector-kit";
import { quoted } from "./names.ts";
import { FloodError, type RemoteEnd, type RemoteProgram, type SshSession } from "./ssh-session.ts";

/**
 * What the connector's own programs have in common. They are for any POSIX shell with the tools of GNU or BusyBox.
 *
 * `meta PATH` puts into M what is there: `file|MODE|OWNER|GROUP|SIZE|SHA256`, `directory|MODE|OWNER|GROUP`, `link`, `other`, `absent`. What can't be
 * looked at is a failure and never absent.
 */
const PRELUDE = `
LC=\${LC_ALL-}; UM=$(umask); LC_ALL=C; export LC_ALL; umask 077
fail() { printf 'error %s\\n%s\\n' "$1" "\${2-}"; exit 0; }
trying() { E=$("$@" 2>&1) || fail system "$E"; }
meta() {
  if [ -L "$1" ]; then M=link
  elif [ -f "$1" ]; then
    S=$(sha256sum < "$1") || fail unreadable "$1"
    M="file|$(stat -c '%a|%U|%G|%s' -- "$1")|\${S%% *}"
  elif [ -d "$1" ]; then M="directory|$(stat -c '%a|%U|%G' -- "$1")"
  elif [ -e "$1" ]; then M=other
  else
    E=$(ls -d -- "$1" 2>&1) && fail system "$1 is there and can not be looked at"
    case $E in *"No such file"*|*"Not a directory"*) M=absent;; *) fail system "$E";; esac
  fi
}
`;

/** What a program of ours has said: `key value` lines, and what came after the line `done`. */
export interface HostAnswer {
  readonly values: ReadonlyMap<string, string>;
  readonly rest: Buffer;
}

/** A refusal in one word of the program's own, for the function to put into a sentence. */
export class HostRefusal extends Error {
  readonly word: string;
  readonly said: string;

  constructor(word: string, said: string) {
    super(word);
    this.word = word;
    this.said = said;
  }
}

const DONE = "done\n";
const NOT_PERMITTED = /Permission denied|Operation not permitted|not permitted|Read-only file system/;
const FULL =
  /No space left on device|Disk quota exceeded|Resource temporarily unavailable|Cannot allocate memory|Too many open files|Text file busy/;

/** A program of ours with values for its variables; it says the mark first. */
export function programOf(text: string, variables: Readonly<Record<string, string>>): (mark: string) => string {
  const given = Object.entries(variables).map(([name, value]) => `${name}=${quoted(value)}`);
  return (mark) => [`printf '%s\\n' '${mark}'`, `printf '%s\\n' '${mark}' >&2`, ...given, PRELUDE, text, ""].join("\n");
}

/**
 * Runs a program of ours and reads its answer.
 *
 * @throws HostRefusal with its word; ConnectorError for what is not about its own matter.
 */
export async function ask(
  session: SshSession,
  text: string,
  how: { readonly variables: Readonly<Record<string, string>>; readonly input?: Buffer } & Pick<RemoteProgram, "despiteAbortMs">,
): Promise<HostAnswer> {
  const { variables, ...more } = how;
  let end: RemoteEnd;
  try {
    end = await session.run({ text: programOf(text, variables), ...more });
  } catch (error) {
    if (error instanceof FloodError) throw session.strange();
    throw error;
  }
  return answerOf(session, end);
}

function answerOf(session: SshSession, end: RemoteEnd): HostAnswer {
  const at = end.stdout.indexOf(DONE);
  const isWhole = at === 0 || (at > 0 && end.stdout[at - 1] === 0x0a);
  if (isWhole) return { values: valuesIn(end.stdout.toString("utf8", 0, at)), rest: end.stdout.subarray(at + DONE.length) };
  const [first = "", ...lines] = end.stdout.toString("utf8").split("\n");
  const word = /^error ([a-z-]+)$/.exec(first)?.[1];
  const said = word === undefined ? end.stderr.toString("utf8") : lines.join("\n").trim();
  if (word === undefined || word === "system") throw systemError(session, said, end);
  throw new HostRefusal(word, said);
}

function valuesIn(text: string): ReadonlyMap<string, string> {
  const lines = text.split("\n").filter((line) => line !== "");
  return new Map(lines.map((line) => [line.split(" ", 1)[0] ?? "", line.slice(line.indexOf(" ") + 1)]));
}

/** What the host's own tools said. */
function systemError(session: SshSession, said: string, end: RemoteEnd): ConnectorError {
  const { host, user } = session.provider;
  const shown = session.excerpt(said);
  if (NOT_PERMITTED.test(said))
    return new ConnectorError(`${user} may not do this on ${host}: ${shown}. Use an account that may, or change the rights there.`, {
      kind: "authorization",
      outcome: "answered",
    });
  const why = shown === "" ? `it ended with ${end.signal ?? `code ${end.code ?? "?"}`}` : shown;
  if (FULL.test(said))
    return new ConnectorError(`${host} can't do it now: ${why}.`, { kind: "communication", outcome: "answered", retryable: true });
  // A program that was killed may have done its work before.
  const isEnded = end.signal !== undefined;
  return new ConnectorError(`${host} could not do it: ${why}.`, {
    kind: isEnded ? "communication" : "validation",
    outcome: isEnded ? "unknown" : "answered",
    retryable: isEnded,
  });
}
