import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { type BadRun, failingRun, type Row } from "./row.ts";
import type { House } from "./house.ts";

const RESTS = "The run rests at `/do/bad` with its error";
/** Each of them may be repeated: what is looked at here is how they end. */
const AGAIN = "metadata: { tutti: { effect: { class: idempotent } } }";
/** The name of a sleep that only this test starts. */
const FORKED_SECONDS = "98765.4321";
/** The processes of an attempt are asked to end and, 5 seconds later, made to. */
const GONE_MS_MAX = 180_000;

const shell = (command: string, more = ""): string =>
  `  - bad:\n      run: { shell: { command: ${JSON.stringify(command)}${more} } }\n      ${AGAIN}\n`;

/** A run whose task `bad` starts a program that goes wrong. */
function program(
  row: Omit<Row, "act" | "exit" | "goesOn"> & { readonly goesOn?: string },
  tasks: string,
  more: {
    readonly prepare?: (house: House) => Partial<Pick<BadRun, "cure" | "words">>;
    readonly after?: (house: House) => Promise<void>;
  } = {},
): Row {
  return {
    exit: 1,
    goesOn: `${RESTS}; retry, skip or resume goes on.`,
    ...row,
    says: ["/do/bad failed", ...row.says, "tutti run retry"],
    act: async (house) => {
      const ended = await failingRun(house, { name: row.name, tasks, ...more.prepare?.(house) });
      await more.after?.(house);
      return { ended, names: { dir: house.directory } };
    },
  };
}

/** Command lines of all processes of this machine. */
function commandLines(): readonly string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
      } catch {
        return "";
      }
    });
}

export const PROCESS_ROWS: readonly Row[] = [
  program(
    {
      name: "output-flood",
      input: "a command that prints for ever (`yes`)",
      code: "runtime 500",
      says: ["The process was ended: it wrote more than 16 MiB to stdout; write large results to a file."],
      goesOn: `${RESTS}; nothing of it runs any more.`,
    },
    shell("exec yes flood-of-a-bad-input"),
    {
      after: async () => {
        assert.deepEqual(
          commandLines().filter((line) => line.includes("yes flood-of-a-bad-input")),
          [],
        );
      },
    },
  ),
  program(
    {
      name: "gigabyte-on-one-line",
      input: "1 GB on one line of standard error",
      code: "runtime 500",
      says: ["The process was ended: it wrote more than 16 MiB to stderr; write large results to a file."],
    },
    shell("head -c 1000000000 /dev/zero | tr '\\0' x >&2"),
  ),
  program(
    {
      name: "fork-for-ever",
      input: "a command that starts background processes for ever",
      code: "timeout 408",
      says: ["timeout 408: bad did not end in time"],
      goesOn: `${RESTS} when the task's own \`timeout\` is over; all that it had started is ended, also what left its process group.`,
    },
    `  - bad:
      run: { shell: { command: ${JSON.stringify(`while :; do setsid sleep ${FORKED_SECONDS} & sleep 0.05; done`)} } }
      timeout: { after: { seconds: 2 } }
      ${AGAIN}
`,
    {
      after: async () => {
        const deadline = performance.now() + GONE_MS_MAX;
        const left = (): readonly string[] => commandLines().filter((line) => line.includes(FORKED_SECONDS) && line.startsWith("sleep"));
        while (left().length > 0) {
          assert(performance.now() < deadline, `${left().length} processes are left`);
          await pause(50);
        }
      },
    },
  ),
  program(
    {
      name: "killed-by-signal",
      input: "a command that is killed (`kill -9`)",
      code: "runtime 500",
      says: ["The process was ended by SIGKILL, which is not Tutti's doing: a person's, or the system's for want of memory"],
    },
    shell("kill -9 $$"),
  ),
  program(
    {
      name: "command-not-found",
      input: "a program that is not installed",
      code: "runtime 500",
      says: ["The process ended with code 127:", "nosuchprogram: command not found", "tutti run logs"],
    },
    shell("nosuchprogram --now"),
  ),
  program(
    {
      name: "not-executable",
      input: "a file that may not be executed",
      code: "runtime 500",
      says: ["The process ended with code 126:", "./plain.sh: Permission denied"],
    },
    shell("./plain.sh"),
    {
      prepare: (house) => {
        house.write("plain.sh", "echo hello\n", 0o644);
        return {};
      },
    },
  ),
  program(
    {
      name: "wrong-interpreter",
      input: "a script whose first line names an interpreter that is not there",
      code: "runtime 500",
      says: ["The process ended with code 12", "command.sh: line 1: ", "wrong.sh"],
    },
    shell("./wrong.sh"),
    {
      prepare: (house) => {
        house.write("wrong.sh", "#!/no/such/interpreter\necho hello\n", 0o755);
        return {};
      },
    },
  ),
  program(
    {
      name: "script-not-found",
      input: "a script file that is not there",
      code: "configuration 400",
      says: ['There is no script "later.sh" in {dir}: put it there, or correct the name in the document.'],
      goesOn: `${RESTS}; once the file is there, \`retry\` completes it.`,
    },
    `  - bad:\n      run: { script: { language: sh, source: { endpoint: later.sh } } }\n      ${AGAIN}\n`,
    { prepare: (house) => ({ cure: () => void house.write("later.sh", "echo here\n") }) },
  ),
  program(
    {
      name: "variable-missing",
      input: "a script that needs an environment variable nobody has set",
      code: "runtime 500",
      says: ["The process ended with code 1", "ACCOUNT: unbound variable"],
      goesOn: `${RESTS}. Of Tutti's own environment a script gets only PATH, HOME, language, time zone and TMPDIR; the document's \`environment\` gives it more.`,
    },
    shell("set -u; echo $ACCOUNT"),
  ),
  program(
    {
      name: "huge-environment",
      input: "an environment variable of 1 MB",
      code: "configuration 400",
      says: ["The process could not be started: its arguments and environment are too long; pass them by stdin."],
    },
    shell("true", `, environment: { A: '\${ "x" * 1000000 }' }`),
  ),
  {
    name: "binary-output",
    input: "a command that prints bytes that are no text",
    code: undefined,
    exit: 0,
    says: ["completed"],
    goesOn: "What is no UTF-8 becomes U+FFFD, in the output and in the log; the run completes.",
    act: async (house) => {
      house.write(
        "binary-output.yaml",
        `document: { dsl: 1.0.3, namespace: bad, name: binary-output, version: 1.0.0 }\ndo:\n${shell("printf 'a\\377\\000\\033[2Jb'")}`,
      );
      const ended = await house.tutti("run", "start", "binary-output.yaml", "--wait");
      // A terminal must not obey what a script printed.
      assert(!ended.out.includes("\x1b") && ended.out.includes("\uFFFD"), JSON.stringify(ended.out));
      return { ended };
    },
  },
];
