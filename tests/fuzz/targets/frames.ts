import { OutputCapture } from "@tutti/connector-kit";
import { LogStream } from "@tutti/connector-container";
import { LineSplitter, parseClientFrame } from "@tutti/host";
import type { Json } from "@tutti/model";
import type { Random } from "@tutti/testkit";
import { json } from "../generate/json.ts";
import { bytesOfText, cutsOf, mutateBytes, piecesOf, textOf } from "../generate/text.ts";
import { broken, type Target, type Verdict } from "../target.ts";

interface Input {
  readonly [key: string]: Json;
  /** One character a byte. */
  readonly bytes: string;
  readonly cuts: readonly number[];
}

const LINE_BYTES_MAX = 200;
const WORDS = [
  "\n",
  "{",
  "}",
  '{"id":1,"call":"run","with":{}}\n',
  '{"id":1,"cancel":true}\n',
  "\u0001\u0000\u0000\u0000\u0000\u0000\u0000\u0003abc",
  "\u0002\u0000\u0000\u0000\u0000\u0000\u0000\u0001x",
  "\u00c3",
  "\u00a9",
  "\u0000",
];

export const frames: Target<Input> = {
  name: "frames",
  law: "lines on the socket, the output of processes and a container's log are the same however they are cut, and no more than what came",
  control: "a container's frame loses its last byte where a piece ends",
  make: (random) => {
    const bytes = source(random);
    return { bytes, cuts: cutsOf(random, bytes.length, 5) };
  },
  open: async (isSabotaged) => ({ check: (input) => check(input, isSabotaged) }),
};

function source(random: Random): string {
  const kind = random.integer(0, 3);
  if (kind === 0) return textOf(random, WORDS, 20);
  if (kind === 1) {
    const frame = (): Json => ({
      id: random.pick<Json>([1, 0, -1, 1.5, "1", 2 ** 53]),
      call: random.pick<Json>(["run", 1, null]),
      with: json(random, { isNasty: true, depth: 2 }),
    });
    return Array.from({ length: random.integer(1, 3) }, () => Buffer.from(`${JSON.stringify(frame())}\n`).toString("latin1")).join("");
  }
  const log = Array.from({ length: random.integer(0, 4) }, () => {
    const text = textOf(random, ["a", "b\n", "\u00c3\u00a9"], 12);
    const head = Buffer.alloc(8);
    head[0] = random.pick([1, 2, 0, 3]);
    head.writeUInt32BE(random.chance(0.9) ? text.length : random.integer(0, 0xffffffff), 4);
    return head.toString("latin1") + text;
  }).join("");
  return kind === 2 ? log : mutateBytes(log, random, WORDS);
}

function check({ bytes, cuts }: Input, isSabotaged: boolean): Verdict {
  const pieces = piecesOf(bytes, cuts).map(bytesOfText);
  return (
    checkLog(bytes, isSabotaged ? pieces.map((piece, index) => (index + 1 < pieces.length ? piece.subarray(0, -1) : piece)) : pieces) ??
    checkLines(bytes, pieces) ??
    checkOutput(bytes, pieces)
  );
}

function checkLog(bytes: string, pieces: readonly Buffer[]): Verdict {
  const found = { stdout: "", stderr: "" };
  const log = new LogStream((stream, chunk) => {
    found[stream] += chunk.toString("latin1");
  });
  for (const piece of pieces) log.add(piece);
  const expected = { stdout: "", stderr: "" };
  for (let at = 0; at + 8 <= bytes.length;) {
    const length = bytesOfText(bytes.slice(at + 4, at + 8)).readUInt32BE(0);
    expected[bytes.charCodeAt(at) === 2 ? "stderr" : "stdout"] += bytes.slice(at + 8, at + 8 + length);
    at += 8 + length;
  }
  return JSON.stringify(found) === JSON.stringify(expected)
    ? undefined
    : broken("another log", `expected ${JSON.stringify(expected)}, got ${JSON.stringify(found)}`);
}

function checkLines(bytes: string, pieces: readonly Buffer[]): Verdict {
  const splitter = new LineSplitter(LINE_BYTES_MAX);
  const found: string[] = [];
  let isRefused = false;
  for (const piece of pieces) {
    const lines = splitter.push(piece);
    if (lines === undefined) {
      isRefused = true;
      break;
    }
    found.push(...lines);
  }
  const raw = bytes.split("\n");
  if (raw.some((line) => line.length > LINE_BYTES_MAX) !== isRefused)
    return broken("a line beyond the limit", `refused: ${String(isRefused)}`);
  const expected = raw.slice(0, -1).map((line) => bytesOfText(line).toString("utf8"));
  if (!isRefused && JSON.stringify(found) !== JSON.stringify(expected))
    return broken("other lines", `expected ${JSON.stringify(expected)}, got ${JSON.stringify(found)}`);
  for (const line of found) {
    const frame = parseClientFrame(line);
    if (frame !== undefined && !(Number.isSafeInteger(frame.id) && frame.id >= 0))
      return broken("a frame without an id", JSON.stringify(frame));
  }
  return undefined;
}

function checkOutput(bytes: string, pieces: readonly Buffer[]): Verdict {
  let logged = "";
  const capture = new OutputCapture((line) => {
    logged += `${line}\n`;
  });
  for (const piece of pieces) capture.add(piece);
  capture.end();
  capture.end();
  const whole = bytesOfText(bytes).toString("utf8");
  if (capture.text !== whole.replace(/\n$/, "")) return broken("another output", JSON.stringify(capture.text));
  const lines = whole === "" || whole.endsWith("\n") ? whole : `${whole}\n`;
  return logged === lines ? undefined : broken("other lines in the log", `${JSON.stringify(logged)} instead of ${JSON.stringify(lines)}`);
}
