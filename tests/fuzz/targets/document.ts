import { compileWorkflow, type Finding, lintDocument, parseDocument, type ParsedDocument } from "@tutti/definition";
import { decodeText } from "@tutti/host";
import { AppError, DOCUMENT_BYTES_MAX, type Json, type JsonObject } from "@tutti/model";
import type { Random } from "@tutti/testkit";
import { mutate } from "../../conformance/mutation.ts";
import { documentTexts } from "../corpus.ts";
import { json } from "../generate/json.ts";
import { program } from "../generate/programs.ts";
import { bytesOfText, mutateBytes, mutateText, textOf } from "../generate/text.ts";
import { broken, type Target, type Verdict } from "../target.ts";

interface Input {
  readonly [key: string]: Json;
  /** One character a byte. */
  readonly bytes: string;
}

/** Documents of a few tasks: what is wrong with a place shows in a small one as well, and a large one costs as much as many. */
const LENGTH_MAX = 500;
const texts = documentTexts();
const small = texts.filter((text) => text.length <= LENGTH_MAX);
const parsed: readonly JsonObject[] = small.map((text) => parseDocument(text).json).filter((value) => value !== undefined);
const WORDS = [
  "- ",
  ": ",
  "\n",
  "\n  ",
  "? ",
  "&a ",
  "*a",
  "!!str ",
  "!x ",
  "<<: ",
  "|\n",
  ">-\n",
  "---\n",
  "%YAML 1.1\n",
  "${ ",
  " }",
  "do:",
  "'",
  '"',
  "{",
  "}",
  "[",
  "]",
  "#",
  "~",
  ".nan",
  "0x1",
  "\t",
];
const ALPHABET = Array.from("abdo:- \n\n  '\"{}[],&*!|>%@`#?~0123.").concat([
  "do:",
  "document:",
  "- a: ",
  "\t",
  "\r\n",
  "\ufeff",
  "\u0085",
  "\u0000",
  "é",
]);

export const document: Target<Input> = {
  name: "document",
  law: "any bytes become findings with a place in the text, or a document; an accepted one compiles; nothing is thrown",
  control: "findings of the second line stand in line 0",
  make: (random) => ({ bytes: Buffer.from(source(random), "utf8").toString("latin1") }),
  open: async (isSabotaged) => ({ check: ({ bytes }) => check(bytesOfText(bytes), isSabotaged ? misplaced : lintDocument) }),
};

function source(random: Random): string {
  const kind = random.integer(0, 9);
  if (kind <= 3) return JSON.stringify(mutate(random.pick(parsed), random.pick(parsed), () => random.next()));
  if (kind <= 6) return mutateText(random.pick(small), random, WORDS);
  if (kind === 7) return expressive(random);
  if (kind === 8)
    return Buffer.from(mutateBytes(Buffer.from(random.pick(small)).toString("latin1"), random, WORDS), "latin1").toString("utf8");
  return random.chance(0.5) ? textOf(random, ALPHABET, 60) : JSON.stringify(json(random, { isNasty: true, depth: 4 }));
}

/** A right document whose expressions and data are anything. */
function expressive(random: Random): string {
  const expression = (): string => `\${ ${program(random, { depth: 2, isWild: true })} }`;
  const any = (): Json => json(random, { isNasty: true, depth: 2 });
  return JSON.stringify({
    document: { dsl: "1.0.3", namespace: "fuzz", name: "anything", version: "1.0.0" },
    do: [
      { set: { set: { a: expression(), b: any() } } },
      {
        call: {
          call: "http",
          if: expression(),
          with: { method: "get", endpoint: `https://example.com/${random.pick(["", "{a}", "{a", "%zz"])}` },
        },
      },
      { loop: { for: { each: "x", in: expression() }, do: [{ inner: { set: any() } }], output: { as: expression() } } },
    ],
  });
}

type Lint = (document: ParsedDocument) => readonly Finding[];

function misplaced(document: ParsedDocument): readonly Finding[] {
  return lintDocument(document).map((finding) => (finding.line === 2 ? { ...finding, line: 0 } : finding));
}

function check(bytes: Buffer, lint: Lint): Verdict {
  const text = decoded(bytes);
  if (text === undefined) return undefined;
  const document = parseDocument(text);
  const findings = lint(document);
  const wrong = [...document.findings, ...findings].find((finding) => !isPlaced(finding, text));
  if (wrong !== undefined) return broken("a finding without a place", JSON.stringify(wrong));
  const isRefused = findings.some(({ severity }) => severity === "error");
  if (document.json === undefined) return isRefused ? undefined : broken("no document and nothing said", "");
  if (isRefused) return undefined;
  try {
    compileWorkflow(document.json);
  } catch (error) {
    // The limits of what functions and extensions unfold to are found when they are put in.
    if (!(error instanceof AppError && error.code === "definition-invalid")) throw error;
  }
  return undefined;
}

function decoded(bytes: Buffer): string | undefined {
  try {
    return decodeText(bytes, "document");
  } catch (error) {
    if (error instanceof AppError && error.code === "file-unreadable" && bytes.length <= DOCUMENT_BYTES_MAX) return undefined;
    throw error;
  }
}

function isPlaced({ line, column, message }: Finding, text: string): boolean {
  const lines = text.split(/\r\n|\n|\r/).length;
  return Number.isInteger(line) && line >= 1 && line <= lines && Number.isInteger(column) && column >= 1 && message !== "";
}
