import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { type AttemptProvider, Network } from "@tutti/connector-kit";
import { callsForTests, freshToken, type OpenTarget } from "@tutti/connector-kit/conformance";
import { hasLab } from "@tutti/testkit/lab";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { WRITE_FILE } from "./file-programs.ts";
import { ask } from "./host-program.ts";
import { sshConnector } from "./ssh-connector.ts";
import { openDoor, type SshHost, startSshHost } from "./ssh-for-tests.ts";
import { DEFAULT_SSH_LIMITS } from "./ssh-session.ts";
import { withSession } from "./with-session.ts";

const connector = sshConnector();
let host: SshHost;
const doors: OpenTarget[] = [];
const { attempt, call, declared, undo } = callsForTests(connector, () => host.provider());
const run = promisify(execFile);

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 50));
}

async function lines(name: string): Promise<readonly string[]> {
  const text = await readFile(join(host.files, name), "utf8").catch(() => "");
  return text.split("\n").filter((line) => line !== "");
}

/** Processes whose command line holds the text. */
async function processesWith(text: string): Promise<number> {
  const entries = await readdir("/proc");
  const found = await Promise.all(
    entries.filter((each) => /^\d+$/.test(each)).map((pid) => readFile(`/proc/${pid}/cmdline`, "latin1").catch(() => "")),
  );
  return found.filter((words) => words.includes(text)).length;
}

describe.skipIf(!hasLab)("ssh", () => {
  beforeAll(async () => {
    host = await startSshHost();
  });
  afterEach(async () => {
    for (const door of doors.splice(0)) await door.close();
    await host.empty();
  });
  afterAll(() => host.stop());

  test("a host that shows another key gets nothing, and the error tells which key it was", async () => {
    const real = (await run("ssh-keygen", ["-lf", join(host.stateOf("host_key.pub"))])).stdout.split(" ")[1] ?? "";
    const other = `SHA256:${"A".repeat(43)}`;
    const failure = call("host.facts:1", {}, { provider: host.provider({ configuration: { hostKeys: [other] } }) });
    await expect(failure).rejects.toMatchObject({
      errorKind: "authorization",
      outcome: "never-began",
      retryable: false,
      message: expect.stringContaining(`shows the host key ssh-ed25519 ${real}`),
    });
    const unknown = attempt({ provider: host.provider({ configuration: { hostKeys: [] } }) });
    expect(await connector.check?.(unknown)).toMatchObject({ status: "unhealthy", problem: expect.stringContaining(real) });
    // Control: by its fingerprint it is known, and by the key of another type that it has.
    for (const hostKeys of [[real], [await host.read("host_rsa_key.pub")]]) {
      const provider = host.provider({ configuration: { hostKeys } });
      expect(await connector.check?.(attempt({ provider }))).toMatchObject({
        status: "healthy",
        version: expect.stringContaining("Linux"),
      });
    }
  });

  test.each([
    ["a wrong key", { privateKey: "nonsense" }, "configuration", "can't be read"],
    ["no key at all", {}, "configuration", "credentials"],
    ["a password where none is taken", { password: "wrong-0123456789" }, "authentication", "does not let root"],
  ])("%s never begins, and is told with the way out", async (_, credentials, errorKind, message) => {
    await expect(call("host.facts:1", {}, { provider: host.provider({ credentials }) })).rejects.toMatchObject({
      errorKind,
      outcome: "never-began",
      retryable: false,
      message: expect.stringContaining(message),
    });
  });

  test("a key with a passphrase opens the host", async () => {
    const file = host.stateOf("id_secret");
    await run("cp", [host.stateOf("id"), file]);
    await run("ssh-keygen", ["-q", "-p", "-P", "", "-N", "a phrase to remember", "-f", file]);
    const privateKey = await readFile(file, "utf8");
    const provider = (passphrase?: string): AttemptProvider =>
      host.provider({ credentials: { privateKey, ...(passphrase === undefined ? {} : { passphrase }) } });
    expect(await call("command.run:1", { command: "echo in" }, { provider: provider("a phrase to remember") })).toMatchObject({
      stdout: "in",
    });
    await expect(call("command.run:1", { command: "echo in" }, { provider: provider() })).rejects.toThrow("it has a passphrase");
    await expect(call("command.run:1", { command: "echo in" }, { provider: provider("wrong") })).rejects.toThrow("is its passphrase right");
  });

  test("a command has its words, variables, input and directory as they were given, and none of it stands on a command line", async () => {
    const words = ["printf", "%s|", "a b", "it's", '"$HOME"', "`id`", "new\nline", "é"];
    expect(await call("command.run:1", { command: words })).toEqual({ code: 0, stdout: `${words.slice(2).join("|")}|`, stderr: "" });
    const odd = `'"$(id)\`\\ \n é`;
    const output = await call("command.run:1", {
      command: `printf '%s' "$ODD"; cat; pwd; tr '\\0' ' ' < /proc/$$/cmdline >&2`,
      directory: host.files,
      environment: { ODD: odd },
      stdin: { secret: "in-the-input" },
    });
    expect(output["stdout"]).toBe(`${odd}{"secret":"in-the-input"}${host.files}`);
    expect(output["stderr"]).not.toMatch(/ODD|in-the-input/);
  });

  test("a code is a failure unless it was said to be none", async () => {
    const input = { command: "echo why >&2; exit 4" };
    await expect(call("command.run:1", input)).rejects.toMatchObject({
      outcome: "answered",
      errorKind: "runtime",
      detail: { code: 4, stderr: "why" },
    });
    expect(await call("command.run:1", { ...input, codes: [0, 4] })).toMatchObject({ code: 4 });
    await expect(call("command.run:1", { command: "kill -9 $$" })).rejects.toThrow("was ended by SIGKILL");
    await expect(call("command.run:1", { command: "true", directory: "/nowhere" })).rejects.toThrow("There is no directory /nowhere");
    await expect(call("command.run:1", { command: "echo 'open" })).rejects.toMatchObject({ outcome: "answered" });
  });

  test.each(["command.run:1", "script.run:1"])("%s that is cancelled ends with all that it has started on the host", async (name) => {
    const marker = `4${Date.now() % 1_000_000}`;
    const text = `trap '' HUP; echo up; sleep ${marker} & sleep ${marker}; true`;
    const controller = new AbortController();
    const own = attempt({ signal: controller.signal });
    const ended = declared(name).run(name === "command.run:1" ? { command: text } : { script: text }, own);
    await until(async () => (await processesWith(`sleep\u0000${marker}`)) === 2);
    controller.abort(Object.assign(new Error("cancelled"), { name: "AbortError" }));
    await expect(ended).rejects.toMatchObject({ errorKind: "timeout", outcome: "unknown" });
    expect(await processesWith(`sleep\u0000${marker}`)).toBe(0);
  });

  test("what a command says beyond the limit ends it", async () => {
    await expect(call("command.run:1", { command: "yes" })).rejects.toMatchObject({
      outcome: "answered",
      message: expect.stringContaining("more than 16 MiB"),
    });
    await until(async () => (await processesWith("yes\u0000")) === 0);
  });

  const SCRIPT = `echo begin >> "$1/ran"; echo one; while [ ! -e "$1/go" ]; do sleep 0.05; done; echo two; echo end >> "$1/ran"`;

  test("a script whose connection is lost goes on, and the next attempt has its whole output and starts nothing", async () => {
    const token = freshToken();
    const input = { script: SCRIPT, arguments: [host.files] };
    // Its second program is the one that follows the script.
    const door = await openDoor(host, { kind: "request-lost", request: 2 });
    doors.push(door);
    const lost = declared("script.run:1").run(input, attempt({ token, provider: door.provider }));
    await expect(lost).rejects.toMatchObject({ outcome: "unknown", retryable: true });
    await until(async () => (await lines("ran")).length === 1);
    const again = call("script.run:1", input, { token, number: 2 });
    await writeFile(join(host.files, "go"), "");
    expect(await again).toEqual({ code: 0, stdout: "one\ntwo", stderr: "" });
    expect(await lines("ran")).toEqual(["begin", "end"]);
    expect(await readdir(join(host.kept, "scripts"))).toEqual([`${token}.done`]);
  });

  test("a stop of Tutti leaves the script running, for the attempt after it", async () => {
    const token = freshToken();
    const input = { script: SCRIPT, arguments: [host.files] };
    const controller = new AbortController();
    const first = declared("script.run:1").run(input, attempt({ token, signal: controller.signal }));
    await until(async () => (await lines("ran")).length === 1);
    controller.abort(Object.assign(new Error("stopped"), { name: "StopError" }));
    await expect(first).rejects.toMatchObject({ outcome: "unknown" });
    await writeFile(join(host.files, "go"), "");
    expect(await call("script.run:1", input, { token, number: 2 })).toMatchObject({ stdout: "one\ntwo" });
    expect(await lines("ran")).toEqual(["begin", "end"]);
  });

  test("a request that comes late, when the outcome was taken, starts nothing; the next attempt does", async () => {
    const token = freshToken();
    const input = { script: 'echo ran >> "$1/ran"; exit 5', arguments: [host.files] };
    const own = attempt({ token });
    await expect(declared("script.run:1").run(input, own)).rejects.toMatchObject({ detail: { code: 5 } });
    // Until it is stored, the failure is found again.
    await expect(declared("script.run:1").run(input, attempt({ token, number: 2 }))).rejects.toMatchObject({ detail: { code: 5 } });
    expect(await lines("ran")).toHaveLength(1);
    await own.store("failed");
    await expect(declared("script.run:1").run(input, attempt({ token }))).rejects.toMatchObject({ outcome: "unknown" });
    expect(await lines("ran")).toHaveLength(1);
    await expect(declared("script.run:1").run(input, attempt({ token, number: 2 }))).rejects.toMatchObject({ detail: { code: 5 } });
    expect(await lines("ran")).toHaveLength(2);
  });

  test("a script that is killed on the host is a failure, and no doubt", async () => {
    const token = freshToken();
    const marker = `5${Date.now() % 1_000_000}`;
    const ended = declared("script.run:1").run({ script: `echo up; exec sleep ${marker}` }, attempt({ token }));
    ended.catch(() => {});
    await until(async () => (await processesWith(`sleep\u0000${marker}`)) === 1);
    const [group = ""] = (await readFile(join(host.kept, "scripts", token, "started"), "utf8")).split(" ");
    process.kill(-Number(group), "SIGKILL");
    await expect(ended).rejects.toMatchObject({ outcome: "answered", message: expect.stringContaining("without an exit code") });
  });

  test("interpreters, arguments and directory are those that were given", async () => {
    const script = "import os, sys\nprint(sys.argv[1:], os.getcwd(), os.environ['A'], sys.stdin.read())";
    expect(
      await call("script.run:1", {
        script,
        interpreter: ["/usr/bin/env", "python3"],
        arguments: ["a b", 7, true],
        environment: { A: "it's" },
        stdin: "in",
        directory: host.files,
      }),
    ).toMatchObject({ stdout: `['a b', '7', 'true'] ${host.files} it's in` });
    await expect(call("script.run:1", { script: "true", directory: "/nowhere" })).rejects.toThrow("There is no directory /nowhere");
    await expect(call("script.run:1", { script: "true", interpreter: "/no/such" })).rejects.toMatchObject({ detail: { code: 127 } });
  });

  test("a file is written whole with its rights, through a link, and the undo brings back bytes, mode and owner", async () => {
    const path = join(host.files, "real");
    const link = join(host.files, "link");
    const bytes = Buffer.from([0, 255, 10, 13, 128]);
    await writeFile(path, bytes, { mode: 0o640 });
    await run("chown", ["nobody:nogroup", path]);
    await symlink(path, link);
    const input = { path: link, content: "new\n", mode: "0600" };
    const output = await call("file.write:1", input);
    expect(output).toMatchObject({
      changed: true,
      before: { mode: "640", owner: "nobody" },
      after: { mode: "600", owner: "nobody", bytes: 4 },
    });
    expect(await readFile(link, "utf8")).toBe("new\n");
    await undo("file.write:1", input, output);
    expect(await call("file.read:1", { path })).toMatchObject({
      content: bytes.toString("base64"),
      encoding: "base64",
      mode: "640",
      owner: "nobody",
      group: "nogroup",
    });
    expect(await readdir(join(host.kept, "files"))).toEqual([]);
    expect((await readdir(host.files)).toSorted()).toEqual(["link", "real"]);
  });

  test("an undo leaves what somebody else has written since, and says so", async () => {
    const input = { path: join(host.files, "shared"), content: "ours\n" };
    const output = await call("file.write:1", input);
    await writeFile(input.path, "theirs\n");
    await expect(undo("file.write:1", input, output)).rejects.toThrow("somebody has changed it since");
    expect(await readFile(input.path, "utf8")).toBe("theirs\n");
    await writeFile(input.path, "ours\n");
    await undo("file.write:1", input, output);
    expect(await readdir(host.files)).toEqual([]);
  });

  test("a content that does not arrive whole changes nothing", async () => {
    const path = join(host.files, "whole");
    await writeFile(path, "before\n");
    const [whole, half] = [Buffer.from("the whole content\n"), Buffer.from("the whole")];
    const own = attempt();
    const variables = {
      path,
      mode: "",
      owner: "",
      group: "",
      sha256: createHash("sha256").update(whole).digest("hex"),
      base: host.kept,
      token: own.token,
      only: "0",
    };
    const deps = { network: new Network(), limits: DEFAULT_SSH_LIMITS };
    const send = (input: Buffer): Promise<unknown> => withSession(deps, own, (session) => ask(session, WRITE_FILE, { variables, input }));
    await expect(send(half)).rejects.toMatchObject({ word: "cut" });
    expect(await readFile(path, "utf8")).toBe("before\n");
    expect(await readdir(host.files)).toEqual(["whole"]);
    // Control.
    await send(whole);
    expect(await readFile(path, "utf8")).toBe("the whole content\n");
  });

  test("directories that others have used since stay", async () => {
    const input = { path: join(host.files, "a/b/c"), mode: "0700" };
    const output = await call("directory.ensure:1", input);
    expect(output).toMatchObject({ changed: true, before: null, top: join(host.files, "a") });
    await writeFile(join(host.files, "a/theirs"), "");
    await undo("directory.ensure:1", input, output);
    expect(await readdir(join(host.files, "a"))).toEqual(["theirs"]);
  });

  test("an account without rights is told so, and changes nothing", async () => {
    const command = "su -s /bin/sh nobody -c 'cat /etc/shadow'";
    await expect(call("command.run:1", { command })).rejects.toMatchObject({
      detail: { stderr: expect.stringContaining("Permission denied") },
    });
    await expect(call("file.write:1", { path: "/proc/version", content: "x" })).rejects.toMatchObject({
      outcome: "answered",
      retryable: false,
    });
  });

  test("what is waited for is a host that boots, and its end is told", async () => {
    const { bootId } = await call("host.facts:1", {});
    expect(await call("host.await:1", { withinSeconds: 0 })).toMatchObject({ bootId });
    await expect(call("host.await:1", { withinSeconds: 0, otherThanBootId: bootId ?? "" })).rejects.toThrow("has not booted anew");
    const nobody = host.provider({ configuration: { port: 9 } });
    await expect(call("host.await:1", { withinSeconds: 0 }, { provider: nobody })).rejects.toThrow("nothing listens there");
  });
});
