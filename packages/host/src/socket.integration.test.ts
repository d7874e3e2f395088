import { mkdtempSync, statSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { AppError } from "@tutti/model";
import { REQUEST_BYTES_MAX } from "./protocol.ts";
import { serviceWith } from "./service-for-tests.ts";
import { SocketClient } from "./socket-client.ts";
import { SocketServer, type SocketServerOptions } from "./socket-server.ts";

const open: SocketServer[] = [];
afterEach(async () => {
  for (const server of open.splice(0)) await server.stop();
});

const newPath = (): string => join(mkdtempSync(join(tmpdir(), "tutti-socket-")), "tutti.sock");

async function serve(
  given: SocketServerOptions["service"],
  path = newPath(),
  more: Pick<SocketServerOptions, "stopGraceMs"> = {},
): Promise<{ readonly server: SocketServer; readonly path: string }> {
  const server = new SocketServer({
    path,
    service: given,
    version: "9.9.9",
    drive: "asked",
    report: () => {},
    onRunAsked: () => {},
    ...more,
  });
  await server.start();
  open.push(server);
  return { server, path };
}

test("a peer that reads nothing cannot keep the owner from stopping", async () => {
  const path = newPath();
  const big = "x".repeat(1024 * 1024);
  const lines = async function* (runId: string) {
    for (;;) yield { atMs: 1, runId, task: 1, path: "/do/a", attempt: 1, stream: "stdout" as const, text: big };
  };
  const server = new SocketServer({
    path,
    service: serviceWith({ logs: lines }),
    version: "9.9.9",
    drive: "asked",
    report: () => {},
    onRunAsked: () => {},
    stopGraceMs: 50,
  });
  await server.start();
  const deaf = connect(path);
  await new Promise<void>((resolve) => deaf.once("data", () => resolve()));
  deaf.pause();
  deaf.write('{"id":1,"call":"logs","with":{"runId":"r","follow":false}}\n');
  // The stop must work whether the stream has begun or not; a round trip of another client says that it has.
  const other = await client(path);
  await other.call("diagnose", {}).catch(() => undefined);
  other.close();
  await server.stop();
  deaf.destroy();
});

async function client(path: string): Promise<SocketClient> {
  const connected = await SocketClient.connect(path);
  if (connected === undefined) throw new Error("nobody listens");
  return connected;
}

test("a call goes over with its arguments and comes back with its result or its error", async () => {
  const { path } = await serve(
    serviceWith({
      resolveRunId: async (text) => `run_${text}`,
      drive: async () => {},
      show: async (runId, options) => {
        throw new AppError("run-not-found", `no ${runId} at ${options?.atSeq}`, { details: { runId } });
      },
    }),
  );
  const connected = await client(path);
  expect(connected.hello).toEqual({ protocol: 1, version: "9.9.9", pid: process.pid, drive: "asked" });
  expect(await connected.call("resolveRunId", { text: "ab" })).toBe("run_ab");
  expect(await connected.call("drive", { runId: "x" })).toBeUndefined();
  await expect(connected.call("show", { runId: "x", atSeq: 3 })).rejects.toMatchObject({
    code: "run-not-found",
    message: "no x at 3",
    details: { runId: "x" },
  });
  await expect(connected.call("show", { runId: 7 })).rejects.toMatchObject({
    code: "usage",
    message: "The request is not understood: `runId` must be a string.",
  });
  connected.close();
});

test("the socket is its owner's alone, and a file that a killed owner left is replaced", async () => {
  const path = newPath();
  writeFileSync(path, "left behind");
  await serve(serviceWith({}), path);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  (await client(path)).close();
});

test("nobody there is undefined, not an error: no file, or one without a listener", async () => {
  const path = newPath();
  expect(await SocketClient.connect(path)).toBeUndefined();
  writeFileSync(path, "");
  expect(await SocketClient.connect(path)).toBeUndefined();
});

test("an owner that accepts and says nothing is unreachable, with a message that says what to do", async () => {
  const path = newPath();
  const silent = createServer(() => {});
  await new Promise<void>((resolve) => silent.listen(path, resolve));
  await expect(SocketClient.connect(path, 50)).rejects.toMatchObject({
    code: "owner-unreachable",
    message: expect.stringContaining("does not answer within 0.05 s"),
  });
  silent.close();
});

test("a stream arrives value by value and ends; cancelling it ends it at the owner", async () => {
  let endedAtOwner: () => void = () => {};
  const ended = new Promise<void>((resolve) => (endedAtOwner = resolve));
  const { path } = await serve(
    serviceWith({
      logs: async function* (runId, { follow, signal }) {
        for (let index = 0; index < 3; index++)
          yield { atMs: index, runId, task: 1, path: "/do/a", attempt: 1, stream: "stdout" as const, text: "x" };
        if (!follow) return;
        await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
        endedAtOwner();
      },
    }),
  );
  const connected = await client(path);
  const seen: unknown[] = [];
  for await (const line of connected.stream("logs", { runId: "r", follow: false }, new AbortController().signal)) seen.push(line);
  expect(seen).toHaveLength(3);

  const stop = new AbortController();
  for await (const line of connected.stream("logs", { runId: "r", follow: true }, stop.signal))
    if ((line as { atMs: number }).atMs === 2) stop.abort();
  await ended;
  connected.close();
});

test("an aborted wait rejects with the reason and is cancelled at the owner", async () => {
  let cancelled: () => void = () => {};
  const wasCancelled = new Promise<void>((resolve) => (cancelled = resolve));
  const { path } = await serve(
    serviceWith({
      waitFor: (_runId, _until, signal) =>
        new Promise((_, reject) =>
          signal.addEventListener("abort", () => {
            cancelled();
            reject(new Error("aborted"));
          }),
        ),
    }),
  );
  const connected = await client(path);
  const stop = new AbortController();
  const waiting = connected.call("waitFor", { runId: "r", until: "final" }, stop.signal);
  stop.abort(new Error("enough"));
  await expect(waiting).rejects.toThrow("enough");
  await wasCancelled;
  connected.close();
});

test("a closing client ends everything it asked for; a stopping owner answers what it began and refuses the rest", async () => {
  let answer: (id: string) => void = () => {};
  const begun = Promise.withResolvers<void>();
  const { server, path } = await serve(
    serviceWith({
      resolveRunId: () => {
        begun.resolve();
        return new Promise((resolve) => (answer = resolve));
      },
      waitFor: (_runId, _until, signal) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("aborted")))),
    }),
    newPath(),
    // It is over when the late answer has come, however busy the machine is.
    { stopGraceMs: 600_000 },
  );
  const connected = await client(path);
  const resolved = connected.call("resolveRunId", { text: "a" });
  const waited = connected.call("waitFor", { runId: "r", until: "rest" });
  waited.catch(() => undefined);
  await begun.promise;
  const stopped = server.stop();
  const refused = connected.call("diagnose", {});
  await expect(refused).rejects.toMatchObject({ code: "stopping" });
  await expect(waited).rejects.toMatchObject({ code: "stopping" });
  answer("run_late");
  expect(await resolved).toBe("run_late");
  await stopped;
  await expect(connected.call("diagnose", {})).rejects.toBeInstanceOf(Error);
});

test("rubbish and endless lines close the connection and nothing else", async () => {
  const { path } = await serve(serviceWith({ resolveRunId: async () => "run_ok" }));
  for (const bytes of [Buffer.from("GET / HTTP/1.1\r\n\r\n"), Buffer.from('{"id":1}\n'), Buffer.alloc(REQUEST_BYTES_MAX + 10, 0x61)]) {
    const socket = connect(path);
    socket.on("error", () => {});
    const closed = new Promise<void>((resolve) => socket.on("close", () => resolve()));
    socket.resume();
    socket.write(bytes);
    await closed;
  }
  const connected = await client(path);
  expect(await connected.call("resolveRunId", { text: "x" })).toBe("run_ok");
  await expect(connected.call("bogus" as never, {})).rejects.toMatchObject({ code: "usage" });
  connected.close();
});
