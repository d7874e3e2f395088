import { describe, expect, test } from "vitest";
import { MASK } from "@tutti/connector-kit";
import { Redactor, StreamRedactor } from "./redactor.ts";

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
    ["with backslashes for a shell", SECRET.replaceAll(/[^\w]/g, String.raw`\$&`)],
    ["in a URL's path", new URL(`http://a/${SECRET}`).pathname.slice(1)],
    ["in a URL's user info", encodeURIComponent(SECRET).replaceAll("%2B", "+").toLowerCase()],
    ["in JSON of a careful encoder", SECRET.replaceAll(/[^\w]/g, (it) => String.raw`\u${it.charCodeAt(0).toString(16).padStart(4, "0")}`)],
    ["in HTML, by names", SECRET.replaceAll('"', "&quot;").replaceAll("'", "&apos;")],
    ["in HTML, by numbers", SECRET.replaceAll(/[^\w]/g, (it) => `&#${it.charCodeAt(0)};`)],
    ["in HTML, by hexadecimal numbers", SECRET.replaceAll(/[^\w]/g, (it) => `&#x${it.charCodeAt(0).toString(16)};`)],
    ["in CSV", SECRET.replaceAll('"', '""')],
    ["base64 of JSON", Buffer.from(JSON.stringify(SECRET).slice(1, -1)).toString("base64")],
    ["base64 of JSON in JSON", Buffer.from(JSON.stringify(JSON.stringify({ dump: `x ${SECRET}` }))).toString("base64")],
    ["octal bytes in a shell's own quotes", SECRET.replaceAll(/[^\w]/g, (it) => `\\${it.charCodeAt(0).toString(8).padStart(3, "0")}`)],
    ["base64 in a URL", encodeURIComponent(bytes.toString("base64"))],
    ["in JSON in a URL", encodeURIComponent(JSON.stringify(SECRET).slice(1, -1))],
    ["in a URL in HTML", encodeURIComponent(SECRET).replaceAll("%22", "&#37;22").replaceAll("'", "&#39;")],
  ])("%s", (_, text) => {
    const masked = redactorOf(SECRET).maskText(`before ${text} after`);
    expect(masked).toContain(MASK);
    expect(masked.length).toBeLessThan("before  after".length + 45);
    expect(masked).not.toContain(text.slice(0, -2).slice(-12));
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

test("base64 that is broken into lines is masked, and so is the same in JSON", () => {
  const secret = "a-key-that-is-longer-than-one-line-of-base64-".repeat(3);
  const broken = (
    Buffer.from(`user:${secret}`)
      .toString("base64")
      .match(/.{1,76}/g) ?? []
  ).join("\n");
  expect(redactorOf(secret).maskText(`${broken}\nnext`)).toMatch(/^.{7}\*\*\*.{0,4}\nnext$/);
  expect(redactorOf(secret).maskText(JSON.stringify({ broken }))).toMatch(/^\{"broken":".{7}\*\*\*.{0,4}"\}$/);
});

test("secrets that overlap are masked to the end of the last", () => {
  expect(redactorOf("abcdefgh", "efghijkl").maskText("x abcdefghijkl y")).toBe(`x ${MASK} y`);
});

test("a short line of a secret of many lines is masked where the lines follow each other", () => {
  const stream = new StreamRedactor(redactorOf("first\nsecond\nthird"));
  expect([...stream.push("first"), ...stream.push("second"), ...stream.push("third"), ...stream.push("."), ...stream.end()].join("|")).toBe(
    `${MASK}|||.`,
  );
});

test("ten thousand secrets are looked for about as fast as one, and a secret of a megabyte as well", () => {
  const redactor = new Redactor();
  for (let index = 0; index < 10_000; index += 1) redactor.register(`secret-${index}-${(index * 7919).toString(36)}`);
  redactor.register("0123456789abcdef".repeat(64 * 1024));
  const text = "an ordinary line of a log with nothing in it\n".repeat(2000);
  expect(redactor.maskText(text)).toBe(text);
  expect(redactor.maskText(`${text}secret-77-gy3x`.replace("gy3x", (77 * 7919).toString(36)))).toBe(text + MASK);
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

test.each([
  ["JSON", JSON.stringify(SECRET).slice(1, -1)],
  ["JSON in JSON", JSON.stringify(JSON.stringify(SECRET)).slice(3, -3)],
  ["a URL", encodeURIComponent(SECRET)],
  ["HTML", SECRET.replaceAll('"', "&quot;").replaceAll("'", "&#39;")],
  ["a URL in HTML", encodeURIComponent(SECRET).replaceAll("'", "&#39;")],
  ["base64", Buffer.from(SECRET).toString("base64")],
])("%s of a secret that is cut in pieces anywhere is masked", (_, form) => {
  const text = `so ${form} and p@ss/ more`;
  for (let first = 0; first < text.length; first += 1) {
    for (let second = first; second < text.length; second += 5) {
      const stream = new StreamRedactor(redactorOf(SECRET));
      const pieces = [text.slice(0, first), text.slice(first, second), text.slice(second)].flatMap((piece) => stream.push(piece));
      expect([...pieces, ...stream.end()].join("")).toBe(`so ${MASK} and p@ss/ more`);
    }
  }
});

test("a line of nothing but escapes is not held back for ever", () => {
  const stream = new StreamRedactor(redactorOf(SECRET));
  const text = `${"\\".repeat(20_000)}x`;
  expect([...stream.push(text), ...stream.push("y")].join("")).toBe(`${text}y`);
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
