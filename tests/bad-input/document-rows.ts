import assert from "node:assert/strict";
import { AppError } from "@tutti/model";
import type { House } from "./house.ts";
import { head, type Row, runIdIn, type Seen } from "./row.ts";

const GOOD = "do:\n  - greet: { set: { a: 1 } }\n";
const MIB = 1024 * 1024;
const NOTHING = "Nothing is published or started; the control socket refuses the same text, too.";

/** A document that is refused: by the command, with its place, and by the process itself when somebody sends it past the command. */
function refused(
  name: string,
  row: Pick<Row, "input" | "says"> & { readonly text: string | ((name: string) => string); readonly file?: string },
): Row {
  const file = row.file ?? `${name}.yaml`;
  const text = typeof row.text === "string" ? row.text : row.text(name);
  return {
    name,
    input: row.input,
    says: row.says,
    code: "definition-invalid",
    exit: 2,
    goesOn: NOTHING,
    act: async (house) => {
      house.write(file, text);
      const ended = await house.tutti("run", "start", file);
      await mustRefuse(house, text);
      return { ended };
    },
  };
}

async function mustRefuse(house: House, text: string): Promise<void> {
  await assert.rejects(house.call("publish", { text }), (error) => error instanceof AppError && error.code === "definition-invalid");
}

/** A document that looks odd and is none the worse for it. */
function accepted(name: string, row: Pick<Row, "input"> & { readonly text: string }): Row {
  return {
    name,
    input: row.input,
    code: undefined,
    exit: 0,
    says: ["completed"],
    goesOn: "It is read as it is meant, and the run completes.",
    act: async (house) => {
      house.write(`${name}.yaml`, row.text);
      return { ended: await house.tutti("run", "start", `${name}.yaml`, "--wait") };
    },
  };
}

/** A file that is no text that anything could be read from. */
function unreadable(name: string, row: Pick<Row, "input" | "says"> & { readonly bytes: Uint8Array }): Row {
  return {
    ...row,
    name,
    code: "file-unreadable",
    exit: 2,
    goesOn: "Nothing is published or started, and no letter is replaced in silence.",
    act: async (house): Promise<Seen> => {
      house.write(`${name}.yaml`, row.bytes);
      return { ended: await house.tutti("run", "start", `${name}.yaml`) };
    },
  };
}

function aliasBomb(): string {
  const lines = ["a: &a [x, x, x, x, x, x, x, x, x]"];
  for (let level = 1; level < 10; level++) {
    const [before, name] = [String.fromCharCode(96 + level), String.fromCharCode(97 + level)];
    lines.push(`${name}: &${name} [${Array.from({ length: 9 }, () => `*${before}`).join(", ")}]`);
  }
  return `${head("bomb")}metadata:\n  ${lines.join("\n  ")}\n${GOOD}`;
}

export const DOCUMENT_ROWS: readonly Row[] = [
  refused("broken-yaml", {
    input: "a bracket that is not closed",
    text: `${head("broken")}do:\n  - greet: { set: { a: 1 }\n  - next\n`,
    says: ["broken-yaml.yaml:4:3: error:", "Look at brackets and quotes that are not closed"],
  }),
  refused("wrong-types", {
    input: "a number where a duration belongs",
    text: `${head("types")}do:\n  - greet: { wait: 7 }\n`,
    says: ["wrong-types.yaml:3:14: error:", "`wait` must be a duration: `{ seconds: 30 }`"],
  }),
  refused("unknown-key", {
    input: "a misspelt keyword",
    text: `${head("key")}do:\n  - greet: { sett: { a: 1 } }\n`,
    says: ["unknown-key.yaml:3:5: error:", "Did you mean `set` instead of `sett`?"],
  }),
  refused("duplicate-key", {
    input: "the same key twice",
    text: `${head("twice")}do:\n  - greet:\n      set: { a: 1 }\n      set: { b: 1 }\n`,
    says: ["duplicate-key.yaml:5:7: error:", "The key `set` occurs twice. Remove one of them"],
  }),
  refused("cyclic-reference", {
    input: "an anchor that holds itself",
    text: `${head("cycle")}do: &list\n  - greet: { set: { a: *list } }\n`,
    says: ["cyclic-reference.yaml:3:24: error:", "stands inside of what it names, so it would never end.", "Repeat tasks with `for`"],
  }),
  refused("alias-bomb", {
    input: "aliases of aliases: a thousand million values in 600 bytes",
    text: aliasBomb(),
    says: ["alias-bomb.yaml:3:31: error:", "Aliases expand to more than 50000 values. Write them out"],
  }),
  refused("document-10-mb", {
    input: "a document of 10 MB",
    text: `${head("large")}${GOOD}#${"x".repeat(10 * MIB)}`,
    says: ["document-10-mb.yaml:1:1: error:", "the limit is 4 MiB.", "let parts be workflows of their own"],
  }),
  refused("deep-yaml", {
    input: "10,000 brackets in each other, YAML",
    text: `${head("deep")}do: ${"[".repeat(10_000)}${"]".repeat(10_000)}\n`,
    says: ["deep-yaml.yaml:2:", "nested more than 512 levels deep.", "Let parts be workflows of their own"],
  }),
  refused("deep-json", {
    input: "10,000 brackets in each other, JSON",
    file: "deep-json.json",
    text: `{"document":{"dsl":"1.0.3","namespace":"bad","name":"deep","version":"1.0.0"},"do":[{"a":{"set":{"x":${"[".repeat(10_000)}${"]".repeat(10_000)}}}}]}`,
    says: ["deep-json.json:1:", "nested more than 512 levels deep."],
  }),
  refused("empty-file", {
    input: "an empty file",
    text: "",
    says: ["empty-file.yaml:1:1: error: The document is empty.", "A workflow begins with `document:` and `do:`."],
  }),
  refused("two-documents", {
    input: "two documents in one file",
    text: `${head("one")}${GOOD}---\n${head("two")}${GOOD}`,
    says: ["two-documents.yaml:4:1: error:", "Put each workflow into a file of its own."],
  }),
  refused("tabs", {
    input: "tabs as indentation",
    text: `${head("tabs")}do:\n\t- greet: { set: { a: 1 } }\n`,
    says: ["tabs.yaml:3:1: error:", "Tabs are not allowed as indentation. Indent with spaces."],
  }),
  refused("null-byte", {
    input: "a null byte",
    text: `${head("null")}do:\n  - greet: { set: { a: 'x\0y' } }\n`,
    says: ["null-byte.yaml:3:26: error: The control character U+0000 cannot stand in a document.", "Remove it"],
  }),
  unreadable("invalid-utf8", {
    input: "ISO-8859-1 instead of UTF-8",
    bytes: Buffer.from(`${head("latin")}do:\n  - greet: { set: { a: 'grün' } }\n`, "latin1"),
    says: ["invalid-utf8.yaml:3:27: this is not UTF-8 text.", "iconv -f ISO-8859-1 -t UTF-8"],
  }),
  unreadable("utf-16", {
    input: "UTF-16 instead of UTF-8",
    bytes: Buffer.from(`\uFEFF${head("wide")}${GOOD}`, "utf16le"),
    says: ["utf-16.yaml:1:1: this is UTF-16 text.", "iconv -f UTF-16 -t UTF-8"],
  }),
  unreadable("binary-file", {
    input: "a file that is no text at all",
    bytes: Uint8Array.from({ length: 4096 }, (_, index) => (index * 7919) % 256),
    says: ["binary-file.yaml:1:", "this is not UTF-8 text.", "Save the file as UTF-8"],
  }),
  accepted("byte-order-mark", { input: "a byte order mark", text: `\uFEFF${head("bom")}${GOOD}` }),
  accepted("windows-line-ends", { input: "Windows line ends", text: `${head("crlf")}${GOOD}`.replaceAll("\n", "\r\n") }),
  accepted("long-line", {
    input: "a line of a million characters",
    text: `${head("line")}do:\n  - greet: { set: { a: '${"y".repeat(MIB)}' } }\n`,
  }),
  refused("long-expression", {
    input: "an expression of 200,000 characters",
    text: `${head("expression")}do:\n  - greet: { set: { a: '\${ 1 ${"+ 1 ".repeat(50_000)}}' } }\n`,
    says: ["long-expression.yaml:3:27: error:", "an expression has at most 16384 characters"],
  }),
  refused("broken-expression", {
    input: "an expression that ends too early",
    text: `${head("expr")}do:\n  - greet: { set: { a: '\${ .a | }' } }\n`,
    says: ["broken-expression.yaml:3:33: error:", "unexpected end of expression, expected a value"],
  }),
  refused("environment-in-expression", {
    input: "an expression that asks for an environment variable",
    text: `${head("env")}do:\n  - greet: { set: { a: '\${ env.HOME }' } }\n`,
    says: ["environment-in-expression.yaml:3:28: error:", "an expression sees nothing but its data, so pass it as input"],
  }),
  refused("unknown-function", {
    input: "a function that does not exist",
    text: `${head("call")}do:\n  - greet: { call: acount.put, with: {} }\n`,
    says: ["unknown-function.yaml:3:20: error: There is no function `acount.put`.", "Define it in `use.functions`"],
  }),
  refused("unknown-task", {
    input: "a jump to a task that does not exist",
    text: `${head("jump")}do:\n  - greet: { set: { a: 1 }, then: nowhere }\n`,
    says: ["unknown-task.yaml:3:35: error: `then` names no task of this list: `nowhere`."],
  }),
  refused("script-language", {
    input: "a script in a language that is not there",
    text: `${head("ruby")}do:\n  - greet: { run: { script: { language: ruby, code: 'puts 1' } } }\n`,
    says: ["script-language.yaml:3:", "No runner is there for scripts in `ruby`. Languages are `bash`, `sh`, `python`"],
  }),
  refused("unknown-time-zone", {
    input: "a time zone that does not exist",
    text: `document: { dsl: 1.0.3, namespace: bad, name: zone, version: 1.0.0, metadata: { tutti: { schedule: { timezone: Europe/Belrin } } } }\nschedule: { cron: '0 3 * * *' }\n${GOOD}`,
    says: ["unknown-time-zone.yaml:1:", "There is no time zone `Europe/Belrin`.", "Did you mean `Europe/Berlin`"],
  }),
  refused("cron-that-never-fires", {
    input: "a schedule for 30 February",
    text: `${head("never")}schedule: { cron: '0 0 30 2 *' }\n${GOOD}`,
    says: ["cron-that-never-fires.yaml:2:", "no month of it has such a day, so it would never fire"],
  }),
  {
    name: "changed-version",
    input: "another text under a version that is published already",
    code: "definition-immutable",
    exit: 3,
    says: ["bad/again 1.0.0 is published already with another text.", "raise document.version"],
    goesOn: "The published text stays, and runs of it go on.",
    act: async (house) => {
      house.write("first.yaml", `${head("again")}${GOOD}`);
      runIdIn(await house.tutti("run", "start", "first.yaml"));
      house.write("second.yaml", `${head("again")}do:\n  - greet: { set: { a: 2 } }\n`);
      return { ended: await house.tutti("run", "start", "second.yaml") };
    },
  },
];
