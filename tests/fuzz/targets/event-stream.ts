import { readEvents, type StreamEvent } from "@tutti/connector-http";
import type { Json } from "@tutti/model";
import type { Random } from "@tutti/testkit";
import { bytesOfText, cutsOf, mutateBytes, piecesOf, textOf } from "../generate/text.ts";
import { broken, type Target, type Verdict } from "../target.ts";

interface Input {
  readonly [key: string]: Json;
  /** One character a byte. */
  readonly bytes: string;
  readonly cuts: readonly number[];
}

const WORDS = [
  "data:",
  "data: ",
  "data",
  "event: e",
  "id: 1",
  "id",
  ": comment",
  "retry: 3",
  "\n",
  "\n\n",
  "\r\n",
  "\r",
  "\r\r",
  "\u0000",
  '{"a":1}',
  "\u00c3\u00a9",
  "\u00ef\u00bb\u00bf",
  "\u00f0\u009f",
];
/** Nothing in here is larger. */
const EVENT_BYTES_MAX = 100_000;

export const eventStream: Target<Input> = {
  name: "event-stream",
  law: "the events that the HTML standard reads, however the network cuts the bytes",
  control: "a byte is lost where a piece ends",
  make: (random) => {
    const bytes = source(random);
    return { bytes, cuts: cutsOf(random, bytes.length, 5) };
  },
  open: async (isSabotaged) => ({ check: (input) => check(input, isSabotaged) }),
};

function source(random: Random): string {
  if (random.chance(0.3)) return textOf(random, WORDS, 30);
  const end = random.pick(["\n", "\r\n", "\r"]);
  const events = Array.from({ length: random.integer(0, 4) }, () => {
    const lines = Array.from(
      { length: random.integer(0, 4) },
      () =>
        `${random.pick(["data", "data", "event", "id", "", "x"])}${random.pick([":", ": ", ""])}${random.pick(["a", "", " b", "{}", "\u00c3\u00a9"])}`,
    );
    return [...lines, "", ""].join(end);
  });
  return random.chance(0.4) ? mutateBytes(events.join(""), random, WORDS) : events.join("");
}

async function check({ bytes, cuts }: Input, isSabotaged: boolean): Promise<Verdict> {
  const pieces = piecesOf(bytes, cuts).map((piece) => bytesOfText(isSabotaged && piece.length > 3 ? piece.slice(0, -1) : piece));
  const found: StreamEvent[] = [];
  for await (const event of readEvents(asStream(pieces), EVENT_BYTES_MAX)) found.push(event);
  const expected = readSlowly(new TextDecoder().decode(bytesOfText(bytes)));
  return JSON.stringify(found) === JSON.stringify(expected)
    ? undefined
    : broken("other events", `expected ${JSON.stringify(expected)}, got ${JSON.stringify(found)}`);
}

async function* asStream(pieces: readonly Buffer[]): AsyncGenerator<Uint8Array, void, undefined> {
  yield* pieces;
}

/** The standard's own steps, character by character over the whole text. Source: HTML standard, section 9.2.6. */
function readSlowly(text: string): StreamEvent[] {
  const events: StreamEvent[] = [];
  let [data, type, id]: [string, string, string | undefined] = ["", "", undefined];
  let line = "";
  const endOfLine = (): void => {
    if (line === "") {
      if (data !== "") events.push({ type: type === "" ? "message" : type, data: data.slice(0, -1), id });
      [data, type] = ["", ""];
      return;
    }
    const at = line.indexOf(":");
    const field = at < 0 ? line : line.slice(0, at);
    const given = at < 0 ? "" : line.slice(at + 1);
    const value = given.startsWith(" ") ? given.slice(1) : given;
    if (field === "data") data += `${value}\n`;
    if (field === "event") type = value;
    if (field === "id" && !value.includes("\u0000")) id = value;
  };
  for (let at = 0; at < text.length; at++) {
    const character = text[at] as string;
    if (character !== "\n" && character !== "\r") {
      line += character;
      continue;
    }
    if (character === "\r" && text[at + 1] === "\n") at += 1;
    endOfLine();
    line = "";
  }
  return events;
}
