import { describe, expect, test } from "vitest";
import { LogStream } from "./log-stream.ts";

function frame(type: number, text: string): Buffer {
  const header = Buffer.alloc(8);
  header[0] = type;
  header.writeUInt32BE(Buffer.byteLength(text), 4);
  return Buffer.concat([header, Buffer.from(text)]);
}

describe("LogStream", () => {
  const whole = Buffer.concat([frame(1, "out ä\n"), frame(2, "problem\n"), frame(1, ""), frame(1, "more")]);

  test.each([1, 2, 3, 7, 8, 9, 1000])("takes both streams apart, in pieces of %i bytes", (size) => {
    const seen = { stdout: "", stderr: "" };
    const chunks: Record<"stdout" | "stderr", Buffer[]> = { stdout: [], stderr: [] };
    const stream = new LogStream((name, chunk) => chunks[name].push(Buffer.from(chunk)));
    for (let at = 0; at < whole.length; at += size) stream.add(whole.subarray(at, at + size));
    seen.stdout = Buffer.concat(chunks.stdout).toString();
    seen.stderr = Buffer.concat(chunks.stderr).toString();
    expect(seen).toEqual({ stdout: "out ä\nmore", stderr: "problem\n" });
  });

  test("a frame that says it is huge is passed on as it comes, not gathered", () => {
    const lengths: number[] = [];
    const stream = new LogStream((_, chunk) => lengths.push(chunk.length));
    stream.add(Buffer.from([1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]));
    stream.add(Buffer.alloc(1000));
    stream.add(Buffer.alloc(2000));
    expect(lengths).toEqual([1000, 2000]);
  });
});
