import { appendFileSync, mkdtempSync, readdirSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { LogLine } from "@tutti/runtime";
import { FileLogStore } from "./file-log-store.ts";

const RUN = "run_0123456789abcdef";

function open(): { readonly store: FileLogStore; readonly directory: string } {
  const directory = mkdtempSync(join(tmpdir(), "tutti-logs-"));
  return { directory, store: reopen(directory) };
}

function reopen(directory: string): FileLogStore {
  return new FileLogStore(directory, (message) => {
    throw new Error(message);
  });
}

const line = (text: string): LogLine => ({ atMs: 1, runId: RUN, task: 1, path: "/do/a", attempt: 1, stream: "stdout", text });

async function texts(lines: AsyncIterable<LogLine>): Promise<string[]> {
  const all: string[] = [];
  for await (const each of lines) all.push(each.text);
  return all;
}

const NEVER = new AbortController().signal;

test("what was appended is read back in order, by a later process too", async () => {
  const { store, directory } = open();
  for (let index = 0; index < 500; index++) store.append(line(`line ${index}`));
  const expected = Array.from({ length: 500 }, (_, index) => `line ${index}`);
  expect(await texts(store.read(RUN, { follow: false, signal: NEVER }))).toEqual(expected);
  expect(await texts(reopen(directory).read(RUN, { follow: false, signal: NEVER }))).toEqual(expected);
  const [folder = ""] = readdirSync(directory);
  expect(statSync(join(directory, folder, `${RUN}.jsonl`)).mode & 0o777).toBe(0o600);
});

test("a follower sees every line once: those before it came and those after", async () => {
  const { store } = open();
  const stop = new AbortController();
  store.append(line("before"));
  const seen: string[] = [];
  const following = (async () => {
    for await (const each of store.read(RUN, { follow: true, signal: stop.signal })) {
      seen.push(each.text);
      if (seen.length === 1) for (let index = 0; index < 20; index++) store.append(line(`after ${index}`));
      if (seen.length === 22) stop.abort();
    }
  })();
  store.append(line("at once"));
  await following.catch(() => undefined);
  expect(seen).toEqual(["before", "at once", ...Array.from({ length: 20 }, (_, index) => `after ${index}`)]);
});

test("half a line that a killed process left is skipped, and the next process's lines are whole", async () => {
  const { store, directory } = open();
  store.append(line("whole"));
  await store.flush();
  const [folder = ""] = readdirSync(directory);
  appendFileSync(join(directory, folder, `${RUN}.jsonl`), '{"atMs":1,"text":"ha');
  const next = reopen(directory);
  next.append(line("next"));
  expect(await texts(next.read(RUN, { follow: false, signal: NEVER }))).toEqual(["whole", "next"]);
});

test("a run without a log has no lines, and a follower of it ends with its signal", async () => {
  const { store } = open();
  expect(await texts(store.read(RUN, { follow: false, signal: NEVER }))).toEqual([]);
  expect(await texts(store.read(RUN, { follow: true, signal: AbortSignal.timeout(20) }))).toEqual([]);
});
