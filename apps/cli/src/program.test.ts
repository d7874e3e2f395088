import { expect, test } from "vitest";
import type { Io } from "./io.ts";
import { hoistOptions, runCommandLine } from "./program.ts";

/** A terminal that nobody watches; keeps what is written. */
function captureIo(): { readonly io: Io; readonly written: { out: string; error: string } } {
  const written = { out: "", error: "" };
  const io: Io = {
    environment: {},
    currentDirectory: "/nowhere",
    isTerminal: false,
    isColour: false,
    size: () => ({ columns: 100, rows: 24 }),
    out: (text) => void (written.out += text),
    error: (text) => void (written.error += text),
    readInput: async () => "",
    now: () => 0,
    outputClosed: new AbortController().signal,
  };
  return { io, written };
}

test("common options may stand before the noun", () => {
  expect(hoistOptions(["--json", "--data", "d", "run", "show", "x"])).toEqual(["run", "show", "x", "--json", "--data", "d"]);
  expect(hoistOptions(["--no-color", "run", "start", "f", "--", "-x"])).toEqual(["run", "start", "f", "--no-color", "--", "-x"]);
});

test.each([
  [["run", "show"], "error Missing required argument 'run'.  [usage]\n`tutti run show --help` shows what it takes.\n"],
  [["run", "strat"], "error Unknown command 'strat'. Did you mean start?  [usage]\n`tutti run --help` shows what it takes.\n"],
  [["fly"], "error Unknown command 'fly'.  [usage]\n`tutti --help` shows what it takes.\n"],
  [["run", "list", "--bogus"], "error Unknown option '--bogus'.  [usage]\n`tutti run list --help` shows what it takes.\n"],
  [
    ["run", "settle", "x", "y"],
    "error Say either --done or --not-done.  [usage]\n`--done --output FILE` when it happened; `--not-done --then run` or `--then fail` when not.\n",
  ],
  [
    ["run", "settle", "x", "y", "--not-done"],
    "error --not-done needs --then run or --then fail.  [usage]\n`run` starts it again as a new effect; `fail` lets the workflow handle the failure.\n",
  ],
  [
    ["run", "list"],
    "error There is no data directory at /nowhere/.tutti.  [file-unreadable]\nName yours with --data DIR or TUTTI_DATA; `tutti run start FILE` makes a new one.\n",
  ],
  [
    ["event", "send", "--type", "t", "--data", '{"ok":true}'],
    'error --data names the data directory, not data: {"ok":true}  [usage]\nAn event\'s data is given with --payload JSON.\n',
  ],
  [
    ["workflow", "show", "A B"],
    "error `A B` is neither a file nor the name of a workflow.  [usage]\nGive a file, or NAMESPACE/NAME[:VERSION]; `tutti workflow list` shows the names.\n",
  ],
])("%j is refused with what, why and the next command", async (words, text) => {
  const { io, written } = captureIo();
  expect(await runCommandLine(io, words)).toBe(2);
  expect(written).toEqual({ out: "", error: text });
});

test("with --json an error is one JSON object on standard error", async () => {
  const { io, written } = captureIo();
  expect(await runCommandLine(io, ["--json", "run", "list", "--limit", "0", "--data", "/dev/null/tutti"])).toBe(2);
  expect(Object.keys((JSON.parse(written.error) as { error: object }).error)).toEqual(["code", "message", "hint", "details"]);
});

test("an event can be looked at before it is sent", async () => {
  const { io, written } = captureIo();
  const words = [
    "event",
    "send",
    "--type",
    "com.example.done",
    "--source",
    "/x",
    "--id",
    "1",
    "--payload",
    '{"a":1}',
    "--dry-run",
    "--json",
  ];
  expect(await runCommandLine(io, words)).toBe(0);
  expect(JSON.parse(written.out)).toEqual({
    dryRun: true,
    event: { specversion: "1.0", id: "1", source: "/x", time: "1970-01-01T00:00:00.000Z", type: "com.example.done", data: { a: 1 } },
  });
});
