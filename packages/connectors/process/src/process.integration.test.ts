import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { attemptForTests, type ConnectorFunction, type RecordingAttempt } from "@tutti/connector-kit";
import type { JsonObject } from "@tutti/model";
import { Token } from "@tutti/model/schemas";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { processConnector } from "./process-connector.ts";
import { ProcessStarter } from "./process-starter.ts";

const environment = { PATH: process.env["PATH"], HOME: "/tmp", TUTTI_SECRET_X: "hidden" };
const { functions } = processConnector({ environment, starter: new ProcessStarter({ fromBytes: 0 }) });
const shellFunction = functions["run.shell"] as ConnectorFunction;
const scriptFunction = functions["run.script"] as ConnectorFunction;

let directory: string;
let token: Token;
let tokens = 0;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "process-test-"));
});
afterAll(() => rmSync(directory, { recursive: true }));
beforeEach(() => {
  // Unique over all tests and runs of tests: processes are looked for by it.
  tokens += 1;
  token = Token.parse(`tok_${`${process.pid}${Date.now()}${tokens}`.padStart(32, "0")}`);
});

function attemptNow(more: Parameters<typeof attemptForTests>[0] = {}): RecordingAttempt {
  return attemptForTests({ token, baseDirectory: directory, ...more });
}

function shell(command: string, more: JsonObject = {}, how: JsonObject = {}, attempt = attemptNow()) {
  return shellFunction.run({ shell: { command, ...more }, ...how }, attempt);
}

function script(language: string, code: string, more: JsonObject = {}, how: JsonObject = {}) {
  return scriptFunction.run({ script: { language, code, ...more }, ...how }, attemptNow());
}

/** Processes of the present test, by the mark in their environment. */
function processesLeft(): number[] {
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, "latin1").includes(`TUTTI_TOKEN=${token}`);
      } catch {
        return false;
      }
    })
    .map(Number);
}

function filesLeft(): string[] {
  return readdirSync(tmpdir()).filter((name) => name.includes(token));
}

/** Only stops what hangs. */
const UNTIL_MS = 120_000;

async function until(condition: () => boolean): Promise<void> {
  for (const endMs = performance.now() + UNTIL_MS; !condition(); await sleep(10))
    if (performance.now() > endMs) throw new Error(`did not happen in ${UNTIL_MS / 1000} s`);
}

describe("shell", () => {
  test("the specification's example: stdin and positional arguments", async () => {
    const command = 'input=$(cat)\necho "STDIN was: $input"\necho "ARGS are $1 $2"\n';
    expect(await shell(command, { stdin: "Hello World", arguments: ["Foo", "Bar"] })).toBe("STDIN was: Hello World\nARGS are Foo Bar");
  });

  test.each<[string, unknown]>([
    ["stdout", "out"],
    ["stderr", "err"],
    ["code", 0],
    ["all", { code: 0, stdout: "out", stderr: "err" }],
    ["none", null],
  ])("return: %s", async (wanted, output) => {
    expect(await shell("echo out; echo err >&2", {}, { return: wanted })).toEqual(output);
  });

  test.each(["stdout", "stderr", "none"])("with return %s a code other than 0 is an error", async (wanted) => {
    await expect(shell("echo reason >&2; exit 3", {}, { return: wanted })).rejects.toMatchObject({
      errorKind: "runtime",
      outcome: "answered",
      status: 500,
      message: "The process ended with code 3.",
      detail: { code: 3, stderr: "reason" },
    });
  });

  test("with return code or all the code is data, also of a death by signal", async () => {
    expect(await shell("exit 3", {}, { return: "code" })).toBe(3);
    expect(await shell("echo x; kill -9 $$", {}, { return: "all" })).toEqual({ code: 137, stdout: "x", stderr: "" });
    await expect(shell("kill -SEGV $$")).rejects.toMatchObject({ outcome: "answered", message: expect.stringContaining("SIGSEGV") });
  });

  test("standard streams can be opened again by name, and stdin that is no text is JSON", async () => {
    const command = "cat /dev/stdin > /dev/stdout; echo failed > /dev/stderr";
    expect(await shell(command, { stdin: { a: [1] } }, { return: "all" })).toEqual({ code: 0, stdout: '{"a":[1]}', stderr: "failed" });
    expect(await shell("cat")).toBe("");
  });

  test("neither code nor stdin nor environment can be read in the argument list, and files are private and removed", async () => {
    const command = 'echo "$(tr "\\0" " " < /proc/$$/cmdline)"; stat -c %a "$0" "$(dirname "$0")" # secret-code';
    const output = await shell(command, { stdin: "secret-stdin", environment: { S: "secret-env" }, arguments: ["visible"] });
    expect(output).toContain("visible");
    expect(output).not.toContain("secret");
    expect((output as string).split("\n").slice(-2)).toEqual(["600", "700"]);
    expect(filesLeft()).toEqual([]);
  });

  test("the environment is not inherited", async () => {
    const names = ((await shell("env", { environment: { FOO: "bar" } })) as string).split("\n").map((line) => line.split("=")[0]);
    const known = ["PATH", "HOME", "FOO", "TUTTI_TOKEN", "TUTTI_RUN", "TUTTI_TASK", "TUTTI_ATTEMPT", "PWD", "SHLVL", "_", "OLDPWD"];
    expect(names.filter((name) => !known.includes(name as string))).toEqual([]);
    expect(names).toContain("FOO");
  });

  test("it runs in the workflow's directory, logs line by line and shows that it lives", async () => {
    const attempt = attemptNow();
    expect(await shell("pwd; echo a >&2; printf 'no end'", {}, {}, attempt)).toBe(`${directory}\nno end`);
    expect(attempt.lines.filter(({ stream }) => stream === "stdout").map(({ text }) => text)).toEqual([directory, "no end"]);
    expect(attempt.lines.filter(({ stream }) => stream === "stderr").map(({ text }) => text)).toEqual(["a"]);
    expect(attempt.heartbeats()).toBeGreaterThan(0);
  });

  test("a megabyte passes through stdin and both streams", async () => {
    const text = "0123456789abcdef".repeat(65_536);
    const output = (await shell("tee /dev/stderr", { stdin: text }, { return: "all" })) as { stdout: string; stderr: string };
    expect([output.stdout === text, output.stderr === text]).toEqual([true, true]);
  });
});

describe("scripts", () => {
  test("the specification's example: an ES module with stdin, arguments and environment", async () => {
    const code = `
      import { readFileSync } from 'node:fs';
      const stdin = readFileSync(process.stdin.fd, 'utf8');
      console.log('stdin > ', stdin)
      const [_, __, arg] = process.argv;
      console.log('arg > ', arg)
      const foo = process.env.foo;
      console.log('env > ', foo)`;
    for (const language of ["js", "javascript"]) {
      const more = { stdin: "Hello Workflow", arguments: ["hello"], environment: { foo: "bar" } };
      const output = await script(language, code, more, { return: "all" });
      expect(output).toEqual({ code: 0, stdout: "stdin >  Hello Workflow\narg >  hello\nenv >  bar", stderr: "" });
    }
  });

  test("CommonJS and code from strings work in a script: Tutti's own flags are not its", async () => {
    expect(await script("js", "const os = require('node:os'); console.log(typeof os.EOL, new Function('return 7')())")).toBe("string 7");
    expect(await script("js", "console.log(await Promise.resolve(5))")).toBe("5");
  });

  test.each<[string, string]>([
    ["python", "import sys, os\nprint(sys.argv[1], os.environ['E'], sys.stdin.read())"],
    ["python3", "import sys, os\nprint(sys.argv[1], os.environ['E'], sys.stdin.read())"],
    ["bash", 'read -r line; a=(x "$1"); echo "${a[1]} $E $line"'],
    ["sh", 'read -r line; echo "$1 $E $line"'],
  ])("%s gets arguments, environment and stdin", async (language, code) => {
    expect(await script(language, code, { stdin: "in\n", arguments: ["arg"], environment: { E: "env" } })).toMatch(/^arg env in\n?$/);
  });

  test("a source in a file runs where it lies, by path or file URI", async () => {
    writeFileSync(join(directory, "helper.py"), "WORD = 'helped'");
    writeFileSync(join(directory, "main.py"), "import helper\nprint(helper.WORD)");
    for (const endpoint of ["main.py", { uri: "./main.py" }, `file://${directory}/main.py`, join(directory, "main.py")]) {
      expect(await scriptFunction.run({ script: { language: "python", source: { endpoint } } }, attemptNow())).toBe("helped");
    }
  });

  test.each<[string, JsonObject, string]>([
    ["an unknown language", { language: "cobol", code: "" }, "Scripts in cobol can't be run"],
    ["a source on the net", { language: "js", source: { endpoint: "https://example.com/x.js" } }, "is a file"],
    ["a source outside of the workflow's directory", { language: "js", source: { endpoint: "../x.js" } }, "is outside of"],
    ["a source that is not there", { language: "js", source: { endpoint: "none.js" } }, "There is no script"],
    ["neither code nor source", { language: "js" }, "either code or a source"],
    ["a null byte in an argument", { language: "js", code: "", arguments: ["a\0b"] }, "could not be started"],
  ])("%s is refused before anything is started", async (_, given, message) => {
    const refused = { outcome: "never-began", message: expect.stringContaining(message) };
    await expect(scriptFunction.run({ script: given }, attemptNow())).rejects.toMatchObject(refused);
    expect(filesLeft()).toEqual([]);
  });

  test("a program that is not there never began", async () => {
    const missing = attemptNow({ baseDirectory: "/nowhere" });
    await expect(shell("true", {}, {}, missing)).rejects.toMatchObject({ errorKind: "configuration", outcome: "never-began" });
    const environment = { PATH: "/nowhere" };
    await expect(script("python", "", { environment })).rejects.toMatchObject({
      outcome: "never-began",
      message: expect.stringContaining('"python3"'),
    });
  });
});

describe("ends", () => {
  async function abortWhen(started: string, command: string): Promise<{ readonly error: unknown; readonly lines: readonly string[] }> {
    const controller = new AbortController();
    const attempt = attemptNow({ signal: controller.signal });
    const running = shell(command, {}, {}, attempt).catch((error: unknown) => error);
    await until(() => attempt.lines.some(({ text }) => text === started));
    controller.abort();
    const error = await running;
    return { error, lines: attempt.lines.map(({ text }) => text) };
  }

  test("an abort asks the whole group to end; the outcome is unknown", async () => {
    const { error, lines } = await abortWhen(
      "up",
      // What it says goes through a pipe: a disk that others keep busy may take longer for a file than the grace is.
      `(trap 'echo bye; exit' TERM; echo up; while :; do sleep 0.05; done) & sleep 100 & wait`,
    );
    expect(error).toMatchObject({ errorKind: "timeout", outcome: "unknown", message: "The process was ended: the attempt was stopped." });
    expect(lines).toContain("bye");
    expect(processesLeft()).toEqual([]);
  });

  test("what ignores TERM is killed, also the child of a parent that obeyed", async () => {
    const { error } = await abortWhen("up", `bash -c 'trap "" TERM; echo up; while :; do sleep 0.05; done' & wait`);
    expect(error).toMatchObject({ outcome: "unknown" });
    expect(processesLeft()).toEqual([]);
  });

  test("what left the group is found by its token", async () => {
    await abortWhen("up", "setsid sleep 100 & echo up; wait");
    expect(processesLeft()).toEqual([]);
  });

  test("an abort before the start starts nothing", async () => {
    const controller = new AbortController();
    controller.abort();
    const stopped = shell(`touch ${directory}/started`, {}, {}, attemptNow({ signal: controller.signal }));
    await expect(stopped).rejects.toMatchObject({ outcome: "never-began" });
    expect(existsSync(join(directory, "started"))).toBe(false);
  });

  test.each(["stdout", "stderr"])("a flood on %s is ended with a clear error", async (stream) => {
    const flooding = shell(`yes ${stream === "stderr" ? ">&2" : ""}`);
    await expect(flooding).rejects.toMatchObject({
      errorKind: "runtime",
      outcome: "answered",
      message: `The process was ended: it wrote more than 16 MiB to ${stream}; write large results to a file.`,
    });
    expect(processesLeft()).toEqual([]);
  });

  test("output right at the limit passes", async () => {
    expect(await shell(`head -c ${16 * 1024 * 1024} /dev/zero | tr '\\0' x`)).toHaveLength(16 * 1024 * 1024);
  });

  test("a background process that keeps the streams open holds the task up for two seconds at most, and lives on", async () => {
    expect(await shell("sleep 100 & echo done")).toBe("done");
    expect(processesLeft()).toHaveLength(1);
    await shellFunction.quiesce?.(token);
    expect(processesLeft()).toEqual([]);
  });

  test("await: false gives the task's input at once; the process goes on and its files go with it", async () => {
    const attempt = attemptNow({ taskInput: { given: 1 } });
    const file = join(directory, "detached");
    const gate = join(directory, "gate");
    const command = `until test -f ${gate}; do sleep 0.05; done; cat > ${file}; echo unheard`;
    expect(await shell(command, { stdin: "late" }, { await: false }, attempt)).toEqual({ given: 1 });
    expect(existsSync(file)).toBe(false);
    writeFileSync(gate, "");
    await until(() => existsSync(file) && filesLeft().length === 0);
    expect(readFileSync(file, "utf8")).toBe("late");
    await expect(shell("x", {}, { await: false }, attemptNow({ baseDirectory: "/nowhere" }))).rejects.toMatchObject({
      outcome: "never-began",
    });
  });
});

describe("started by Tutti itself, while it is small", () => {
  const own = processConnector({ environment, starter: new ProcessStarter({ fromBytes: Infinity }) }).functions[
    "run.shell"
  ] as ConnectorFunction;

  test("streams, code and errors are the same", async () => {
    const all = { return: "all" };
    expect(await own.run({ shell: { command: "cat; echo err > /dev/stderr; exit 3", stdin: "in" }, ...all }, attemptNow())).toEqual({
      code: 3,
      stdout: "in",
      stderr: "err",
    });
    expect(await own.run({ shell: { command: "kill -9 $$" }, ...all }, attemptNow())).toEqual({ code: 137, stdout: "", stderr: "" });
    await expect(own.run({ shell: { command: "true" } }, attemptNow({ baseDirectory: "/nowhere" }))).rejects.toMatchObject({
      errorKind: "configuration",
      outcome: "never-began",
    });
  });

  test("an abort ends it", async () => {
    const controller = new AbortController();
    const attempt = attemptNow({ signal: controller.signal });
    const running = own.run({ shell: { command: "echo up; sleep 100" } }, attempt).catch((error: unknown) => error);
    await until(() => attempt.lines.length > 0);
    controller.abort();
    expect(await running).toMatchObject({ outcome: "unknown" });
    expect(processesLeft()).toEqual([]);
  });
});
