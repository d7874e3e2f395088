import { describe, expect, test } from "vitest";
import { MASK, Redactor, StreamRedactor } from "./redactor.ts";

const SECRET = `p@ss/"w0rd' $x+`;

function redactorOf(...secrets: readonly string[]): Redactor {
  const redactor = new Redactor();
  for (const secret of secrets) redactor.register(secret);
  return redactor;
}

describe("a registered secret is masked", () => {
  const bytes = Buffer.from(SECRET, "utf8");
  test.each([
    ["raw", SECRET],
    ["base64", bytes.toString("base64")],
    ["base64url", bytes.toString("base64url")],
    ["hex", bytes.toString("hex")],
    ["upper case hex", bytes.toString("hex").toUpperCase()],
    ["for a URL", encodeURIComponent(SECRET)],
    ["in a form", new URLSearchParams({ a: SECRET }).toString().slice(2)],
    ["in JSON", JSON.stringify(SECRET).slice(1, -1)],
    ["in JSON in JSON", JSON.stringify(JSON.stringify(SECRET)).slice(3, -3)],
    ["quoted for a shell", SECRET.replaceAll("'", String.raw`'\''`)],
  ])("%s", (_, text) => {
    const masked = redactorOf(SECRET).maskText(`before ${text} after`);
    expect(masked).toContain(MASK);
    expect(masked).not.toContain(text.slice(0, 8));
    expect(masked.startsWith("before ")).toBe(true);
    expect(masked.endsWith(" after")).toBe(true);
  });

  test.each([0, 1, 2])("inside longer base64, %i bytes after the beginning of a group", (offset) => {
    const text = Buffer.from(`${"u".repeat(offset)}${SECRET}:rest`).toString("base64");
    expect(redactorOf(SECRET).maskText(text)).toContain(MASK);
  });

  test("in keys and values of data, deep inside; other data is the same object", () => {
    const redactor = redactorOf("hunter2hunter2");
    const clean = { a: [1, "x", null] };
    expect(redactor.maskJson(clean)).toBe(clean);
    expect(redactor.maskJson({ deep: [{ hunter2hunter2: "my hunter2hunter2!" }] })).toEqual({ deep: [{ [MASK]: `my ${MASK}!` }] });
  });

  test("line by line when it has many lines", () => {
    const redactor = redactorOf("first-line-of-a-key\nsecond-line-of-a-key\nend");
    expect(redactor.maskText("got second-line-of-a-key")).toBe(`got ${MASK}`);
  });

  test("unless it is too short to be told from chance", () => {
    expect(redactorOf("abc").maskText("abcabc")).toBe("abcabc");
  });
});

test("members of a secret that is an object are registered", () => {
  const redactor = new Redactor();
  redactor.register({ user: "administrator", pin: 123456 });
  expect(redactor.maskJson(["administrator", 123456, "code 123456"])).toEqual([MASK, MASK, `code ${MASK}`]);
});

test("a secret that is cut in pieces anywhere is masked, and nothing else is lost", () => {
  const text = `some words ${SECRET} and p@ss/ more`;
  for (let first = 0; first < text.length; first += 1) {
    for (let second = first; second < text.length; second += 3) {
      const stream = new StreamRedactor(redactorOf(SECRET));
      const pieces = [text.slice(0, first), text.slice(first, second), text.slice(second)].flatMap((piece) => stream.push(piece));
      expect([...pieces, ...stream.end()].join("")).toBe(`some words ${MASK} and p@ss/ more`);
    }
  }
});

test("lines stay the lines they were, also when one ends as a secret begins", () => {
  const stream = new StreamRedactor(redactorOf("abcdef1"));
  expect(stream.push("x ab")).toEqual([]);
  expect(stream.push("y")).toEqual(["x ab", "y"]);
  expect(stream.push("")).toEqual([""]);
  expect(stream.push("now abc")).toEqual([]);
  expect(stream.push("def1 then")).toEqual([`now ${MASK}`, " then"]);
  expect(stream.push("a")).toEqual([]);
  expect(stream.end()).toEqual(["a"]);
});
