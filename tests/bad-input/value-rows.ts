import assert from "node:assert/strict";
import { AppError, type ErrorCode } from "@tutti/model";
import type { House } from "./house.ts";
import { failingRun, head, type Row } from "./row.ts";

const MIB = 1024 * 1024;
const HELLO = `${head("hello")}do:\n  - greet: { set: { a: 1 } }\n`;
const TYPED = `${head("typed")}input:
  schema:
    document: { type: object, required: [ name ], properties: { name: { type: string }, size: { type: integer } } }
do:
  - greet: { set: { a: 1 } }
`;
const UNCHANGED = "Nothing is started or changed.";

interface Command {
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  readonly words: readonly string[];
  /** The same past the command line, on the control socket; `undefined` where there is no such way. */
  readonly call?: { readonly name: Parameters<House["call"]>[0]; readonly with: object; readonly code: ErrorCode };
}

/** A command that is refused; where somebody can ask the same past the command line, the process refuses it too. */
function command(row: Omit<Row, "act" | "goesOn">, { files = {}, words, call }: Command): Row {
  return {
    ...row,
    goesOn: call === undefined ? UNCHANGED : `${UNCHANGED} The control socket refuses the same.`,
    act: async (house) => {
      for (const [name, content] of Object.entries(files)) house.write(name, content);
      const ended = await house.tutti(...words);
      if (call !== undefined)
        await assert.rejects(house.call(call.name, call.with), (error) => error instanceof AppError && error.code === call.code);
      return { ended };
    },
  };
}

function nested(levels: number): string {
  return `${"[".repeat(levels)}${"]".repeat(levels)}`;
}

/** A start of `bad/hello` with an input of bad data in a file. */
function input(row: Pick<Row, "name" | "input" | "code" | "exit" | "says">, file: string, content: string | Uint8Array): Row {
  return command(row, { files: { [file]: content, "hello.yaml": HELLO }, words: ["run", "start", "hello.yaml", "-f", file] });
}

export const VALUE_ROWS: readonly Row[] = [
  command(
    {
      name: "input-against-schema",
      input: "an input that its schema forbids",
      code: "input-invalid",
      exit: 2,
      says: ["The input of bad/typed 1.0.0 does not fit its schema: /size must be a whole number, but is a string", "tutti workflow show"],
    },
    { files: { "typed.yaml": TYPED }, words: ["run", "start", "typed.yaml", "--set", "name=a", "--set", "size=large"] },
  ),
  command(
    {
      name: "input-member-missing",
      input: "an input without a member that its schema wants",
      code: "input-invalid",
      exit: 2,
      says: ["does not fit its schema: the value needs `name`"],
    },
    {
      files: { "typed2.yaml": TYPED.replace("name: typed", "name: typed2") },
      words: ["run", "start", "typed2.yaml"],
    },
  ),
  input(
    {
      name: "broken-json",
      input: "JSON with a comma too many",
      code: "input-invalid",
      exit: 2,
      says: ["broken.json:1:9: This is neither JSON nor YAML:", "Give JSON, or YAML with `key: value` lines."],
    },
    "broken.json",
    '{"a": 1,, "b": 2}',
  ),
  input(
    { name: "empty-input", input: "an empty input file", code: "input-invalid", exit: 2, says: ["empty.json:1:1: It is empty."] },
    "empty.json",
    "",
  ),
  input(
    {
      name: "input-not-utf8",
      input: "an input in ISO-8859-1",
      code: "file-unreadable",
      exit: 2,
      says: ["latin.json:1:7: this is not UTF-8 text.", "Save the file as UTF-8"],
    },
    "latin.json",
    Buffer.from('{"a":"ü"}', "latin1"),
  ),
  command(
    {
      name: "deep-input",
      input: "an input of 10,000 brackets in each other",
      code: "input-invalid",
      exit: 2,
      says: ["deep.json: It is nested more than 1000 levels deep.", "Give flatter data."],
    },
    {
      files: { "deep.json": nested(10_000), "hello.yaml": HELLO },
      words: ["run", "start", "hello.yaml", "-f", "deep.json"],
      // Deeper than what is taken, and not so deep that the client could not write it.
      call: {
        name: "startRun",
        with: { namespace: "house", name: "neighbour", version: "1.0.0", input: JSON.parse(nested(3000)) as object, actor: "test" },
        code: "input-invalid",
      },
    },
  ),
  input(
    {
      name: "payload-64-mb",
      input: "an input of 64 MiB",
      code: "limit-exceeded",
      exit: 3,
      says: ["large.json is larger than 32 MiB.", "store larger data elsewhere and pass their URI"],
    },
    "large.json",
    JSON.stringify({ text: "x".repeat(64 * MIB) }),
  ),
  command(
    {
      name: "payload-20-mb",
      input: "an input of 20 MiB, which reaches the process",
      code: "payload-too-large",
      exit: 3,
      says: ["the limit is 16777216", "store the data elsewhere and pass its URI"],
    },
    {
      files: { "twenty.json": JSON.stringify({ text: "x".repeat(20 * MIB) }), "hello.yaml": HELLO },
      words: ["run", "start", "hello.yaml", "-f", "twenty.json"],
    },
  ),
  {
    name: "request-64-mb",
    input: "64 MiB on the control socket, past the command line",
    code: undefined,
    exit: 0,
    says: [],
    goesOn: "The connection is closed before it is all read; others go on.",
    act: async (house) => {
      const stranger = await house.connect();
      const given = { namespace: "house", name: "neighbour", version: "1.0.0", input: "x".repeat(64 * MIB), actor: "test" };
      await assert.rejects(stranger.call("startRun", given), /connection .* was lost/i);
      stranger.close();
      return { ended: await house.tutti("run", "list", "--limit", "1") };
    },
  },
  command(
    {
      name: "endless-file",
      input: "a file without end (/dev/zero)",
      code: "limit-exceeded",
      exit: 3,
      says: ["/dev/zero is larger than 32 MiB."],
    },
    { files: { "hello.yaml": HELLO }, words: ["run", "start", "hello.yaml", "-f", "/dev/zero"] },
  ),
  command(
    {
      name: "directory-as-file",
      input: "a directory where a file belongs",
      code: "file-unreadable",
      exit: 2,
      says: ["/ cannot be read: it is a directory.", "Check the path"],
    },
    { words: ["run", "start", "hello.yaml", "-f", "/"], files: { "hello.yaml": HELLO } },
  ),
  command(
    {
      name: "missing-file",
      input: "a file that is not there",
      code: "file-unreadable",
      exit: 2,
      says: ["nothere.yaml cannot be read: there is no such file.", "Check the path"],
    },
    { words: ["run", "start", "nothere.yaml"] },
  ),
  command(
    {
      name: "unknown-workflow",
      input: "a workflow that was never published",
      code: "definition-not-found",
      exit: 2,
      says: ["There is no workflow bad/nowhere latest.", "`tutti workflow list` shows what is there."],
    },
    {
      words: ["run", "start", "bad/nowhere"],
      call: {
        name: "startRun",
        with: { namespace: "bad", name: "nowhere", version: "latest", input: {}, actor: "test" },
        code: "definition-not-found",
      },
    },
  ),
  command(
    {
      name: "unknown-version",
      input: "a version that was never published",
      code: "definition-not-found",
      exit: 2,
      says: ["There is no workflow house/neighbour 9.9.9.", "`tutti workflow list` shows what is there."],
    },
    { words: ["run", "start", "house/neighbour:9.9.9"] },
  ),
  command(
    {
      name: "unknown-run",
      input: "a run that does not exist",
      code: "run-not-found",
      exit: 2,
      says: ["There is no run run_nothere.", "`tutti run list` shows the runs"],
    },
    { words: ["run", "show", "run_nothere"] },
  ),
  command(
    {
      name: "event-without-type",
      input: "an event without its type",
      code: "event-invalid",
      exit: 2,
      says: ["The event cannot be sent: `type` is missing.", "`tutti event send --help`"],
    },
    {
      words: ["event", "send", "--id", "1"],
      call: { name: "acceptEvent", with: { event: { specversion: "1.0", id: "1", source: "/t" } }, code: "event-invalid" },
    },
  ),
  command(
    {
      name: "event-with-a-wrong-time",
      input: "an event of yesterday, in a word",
      code: "event-invalid",
      exit: 2,
      says: ["`time` must be a time such as 2026-01-31T12:00:00Z."],
    },
    { words: ["event", "send", "--type", "t", "--attribute", "time=yesterday"] },
  ),
  command(
    {
      name: "unknown-command",
      input: "a command that does not exist",
      code: "usage",
      exit: 2,
      says: ["Unknown command 'strat'. Did you mean start?", "--help"],
    },
    { words: ["run", "strat"] },
  ),
  {
    name: "expression-without-end",
    input: "an expression that never ends",
    code: "expression 400",
    exit: 1,
    says: ["/do/bad failed", "needs more than 500000 steps: let it work on less data", "tutti run resume"],
    goesOn: "The run rests at `/do/bad` with its error; retry, skip or resume goes on.",
    act: async (house) => ({
      ended: await failingRun(house, { name: "endless", tasks: "  - bad: { set: { x: '${ last(repeat(\"a\")) }' } }\n" }),
    }),
  },
  {
    name: "loop-a-million-wide",
    input: "a loop over a million elements",
    code: "validation 400",
    exit: 1,
    says: ["/do/bad failed", "a loop takes at most 100000 items, not 1000000", "Split the work, or start a workflow for each part."],
    goesOn: "No element was begun; the run rests at `/do/bad` with its error.",
    act: async (house) => {
      house.write("million.json", JSON.stringify({ items: Array.from({ length: 1_000_000 }, () => 1) }));
      const tasks = "  - bad: { for: { each: i, in: '${ .items }' }, do: [ { one: { set: { a: 1 } } } ] }\n";
      return { ended: await failingRun(house, { name: "wide", tasks, words: ["-f", "million.json"] }) };
    },
  },
  {
    name: "text-without-bound",
    input: "a text that doubles forty times",
    code: "expression 400",
    exit: 1,
    says: ["/do/bad failed", "a string is longer than 2097152 characters"],
    goesOn: "The run rests at `/do/bad` with its error; nothing of the text was kept.",
    act: async (house) => ({
      ended: await failingRun(house, {
        name: "doubling",
        tasks: "  - bad: { set: { x: '${ reduce range(40) as $i (\"ab\"; . + .) }' } }\n",
      }),
    }),
  },
  {
    name: "workflow-that-runs-itself",
    input: "a workflow that runs itself",
    code: "runtime 500",
    exit: 1,
    says: ["/do/bad failed", "workflows run each other at most 64 deep: does one of them run itself?"],
    goesOn: "All 64 runs rest with the error.",
    act: async (house) => ({
      ended: await failingRun(house, {
        name: "itself",
        tasks: "  - bad: { run: { workflow: { namespace: bad, name: itself, version: 1.0.0 } } }\n",
      }),
    }),
  },
  {
    name: "child-that-is-not-published",
    input: "a task that runs a workflow nobody has published",
    code: "configuration 400",
    exit: 1,
    says: ["/do/bad failed", "There is no workflow bad/child 1.0.0. Publish it (tutti workflow apply FILE), then retry."],
    goesOn: "The run rests at `/do/bad`; once the other is published, `retry` completes it.",
    act: async (house) => ({
      ended: await failingRun(house, {
        name: "parent",
        tasks: "  - bad: { run: { workflow: { namespace: bad, name: child, version: 1.0.0 } } }\n",
        cure: async () => {
          await house.call("publish", { text: `${head("child")}do:\n  - greet: { set: { a: 1 } }\n` });
        },
      }),
    }),
  },
];
