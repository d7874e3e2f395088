import { expect, test } from "vitest";
import { readEvents, type StreamEvent } from "./event-stream.ts";

async function read(chunks: readonly (string | Uint8Array)[], eventBytesMax = 1000): Promise<StreamEvent[]> {
  async function* bytes(): AsyncGenerator<Uint8Array, void, undefined> {
    for (const chunk of chunks) yield typeof chunk === "string" ? Buffer.from(chunk) : chunk;
  }
  const events: StreamEvent[] = [];
  for await (const event of readEvents(bytes(), eventBytesMax)) events.push(event);
  return events;
}

const A = { type: "message", data: "a", id: undefined };

test("an event that ends with carriage returns is told at once, also at the end of the stream", async () => {
  expect(await read(["data: a\r\r"])).toEqual([A]);
  expect(await read(["data: a\r", "\r"])).toEqual([A]);
});

test("a line end that the network cuts in two is one", async () => {
  expect(await read(["data: a\r", "\ndata: b\r", "\n\r", "\n"])).toEqual([{ ...A, data: "a\nb" }]);
});

test("one byte order mark at the beginning is none of the first field, however it is cut; a second one is", async () => {
  const marked = (marks: number): Buffer => Buffer.from(`${"\uFEFF".repeat(marks)}data: a\n\n`);
  for (const at of [0, 1, 2, 3]) {
    expect(await read([marked(1).subarray(0, at), marked(1).subarray(at)])).toEqual([A]);
    expect(await read([marked(2).subarray(0, at), marked(2).subarray(at)])).toEqual([]);
  }
});

test("a comment in every moment is no event that grows", async () => {
  expect(await read([...Array.from({ length: 100 }, () => ": still here, and not silent\n"), "data: a\n\n"], 100)).toEqual([A]);
});

test("an event beyond the limit is refused, in one line or in many", async () => {
  await expect(read([`data: ${"x".repeat(200)}`], 100)).rejects.toThrow("larger than 100 bytes");
  await expect(read(["data:\n".repeat(200)], 100)).rejects.toThrow("larger than 100 bytes");
});
