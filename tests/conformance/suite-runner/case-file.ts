import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import type { z } from "@tutti/connector-kit";
import { parseDocument } from "@tutti/definition";
import { isJsonObject, type Json, type JsonObject } from "@tutti/model";
import { type Expect, type Scene, SuiteFile } from "./case-format.ts";
import type { Surroundings } from "./surroundings.ts";

/** One case of the suite, ready to be played: its file's, its own and its row's words put together. */
export interface SuiteCase {
  /** `flow/switch:first-match`, or `flow/switch:first-match/row`. */
  readonly id: string;
  readonly shows: string;
  readonly reference: string;
  /** Where it stands: `tests/conformance/suite/flow/switch.yaml:12`. */
  readonly place: string;
  /** Whole documents by the name of their workflow; `main` is the one that is run. */
  readonly documents: ReadonlyMap<string, JsonObject>;
  /** Documents as they were written, by the same names; others are published as JSON. */
  readonly texts?: ReadonlyMap<string, string>;
  /** What is around the run besides the suite's own stand-ins, made anew for each play. */
  readonly surround?: () => Promise<Surroundings>;
  readonly scene: Omit<Scene, "output" | "error" | "put" | "expect">;
  readonly expect: Expect;
}

const here = dirname(fileURLToPath(import.meta.url));
export const SUITE_FOLDER = join(here, "../suite");
const ROOT = join(here, "../../..");

/** All cases of the suite, file by file. @throws Error naming the place of what is wrong with a file. */
export function readSuite(folder: string = SUITE_FOLDER): readonly SuiteCase[] {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".yaml"));
  const cases = files.toSorted().flatMap((file) => readCases(readFileSync(join(folder, file), "utf8"), join(folder, file), folder));
  const ids = new Set<string>();
  for (const one of cases) {
    if (ids.has(one.id)) throw new Error(`${one.place}: there is another case ${one.id}`);
    ids.add(one.id);
  }
  return cases;
}

/** The cases of one file's text. */
export function readCases(text: string, path: string, folder: string): readonly SuiteCase[] {
  const file = relative(ROOT, path);
  const parsed = parseDocument(text, { file });
  if (parsed.json === undefined)
    throw new Error(parsed.findings.map((finding) => `${file}:${finding.line}: ${finding.message}`).join("\n"));
  const placeOf = (pointer: string): string => `${file}:${parsed.positionOf(pointer).line}`;
  const checked = SuiteFile.safeParse(parsed.json);
  if (!checked.success) throw new Error(placesOf(checked.error.issues, placeOf));
  const { cases, workflows, reference } = checked.data;
  const name = relative(folder, path).replace(/\.yaml$/, "");
  return cases.flatMap((one, index) => {
    const { id, shows, rows, workflow = "main", others = [], ...own } = one;
    const variants =
      rows === undefined
        ? [{ row: undefined, pointer: `/cases/${index}` }]
        : rows.map((row, at) => ({ row, pointer: `/cases/${index}/rows/${at}` }));
    return variants.map(({ row, pointer }): SuiteCase => {
      const { id: rowId, shows: rowShows, ...rest } = row ?? { id: undefined };
      const { put = {}, output, error, expect, ...scene } = { ...own, ...rest, expect: { ...own.expect, ...row?.expect } };
      const documents = new Map<string, JsonObject>();
      const add = (as: string, of: Json): void => {
        const found = typeof of === "string" ? workflows[of] : of;
        if (!isJsonObject(found)) throw new Error(`${placeOf(pointer)}: there is no workflow ${JSON.stringify(of)}`);
        documents.set(as, withHead(as, substitute(found, put) as JsonObject));
      };
      add("main", workflow);
      for (const other of others) add(other, other);
      return {
        id: `${name}:${id}${rowId === undefined ? "" : `/${rowId}`}`,
        shows: rowShows ?? shows,
        reference: one.reference ?? reference,
        place: placeOf(pointer),
        documents,
        scene,
        expect: { ...expect, ...(output !== undefined && { output }), ...(error !== undefined && { error }) },
      };
    });
  });
}

function placesOf(issues: readonly z.core.$ZodIssue[], placeOf: (pointer: string) => string): string {
  return issues
    .map((issue) => `${placeOf(issue.path.map((key) => `/${String(key)}`).join(""))}: ${issue.path.join(".")}: ${issue.message}`)
    .join("\n");
}

/** The document with the head that every workflow needs; what it says itself goes first. */
function withHead(name: string, body: JsonObject): JsonObject {
  const head = isJsonObject(body["document"]) ? body["document"] : {};
  return { ...body, document: { dsl: "1.0.3", namespace: "suite", name, version: "1.0.0", ...head } };
}

const PLACEHOLDER = /«([a-zA-Z]+)»/g;

/** Puts a row's values into the document: a text that is one placeholder becomes the value, inside a text it becomes part of the text. */
function substitute(value: Json, put: JsonObject): Json {
  if (typeof value === "string") {
    const whole = /^«([a-zA-Z]+)»$/.exec(value)?.[1];
    if (whole !== undefined) return valueOf(whole, put);
    return value.replace(PLACEHOLDER, (_, name: string) => {
      const part = valueOf(name, put);
      return typeof part === "string" ? part : JSON.stringify(part);
    });
  }
  if (Array.isArray(value)) return value.map((item) => substitute(item as Json, put));
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(Object.keys(value).map((key) => [substitute(key, put) as string, substitute(value[key] as Json, put)]));
}

function valueOf(name: string, put: JsonObject): Json {
  const value = Object.hasOwn(put, name) ? put[name] : undefined;
  if (value === undefined) throw new Error(`there is nothing to put in place of «${name}»`);
  return value;
}
