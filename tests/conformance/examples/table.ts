import { readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { z } from "@tutti/connector-kit";
import { parseDocument } from "@tutti/definition";
import type { Json, JsonObject } from "@tutti/model";
import { readYaml } from "../material.ts";
import type { SuiteCase } from "../suite-runner/case-file.ts";
import { SceneShape } from "../suite-runner/case-format.ts";
import { surroundingsOf } from "./surroundings.ts";

const Data = z.custom<Json>((value) => value !== undefined, "is data");
const Document = z.custom<JsonObject>((value) => typeof value === "object" && value !== null && !Array.isArray(value), "is a document");
const Image = z.strictObject({
  stdout: z.string().optional(),
  stderr: z.string().optional(),
  code: z.number().optional(),
  shell: z.literal(true).optional(),
  remote: z.literal(true).optional(),
});

/** One play of an example: what `tests/conformance/suite/README.md` says of a case, and what the suite has no stand-ins for. */
const ExampleRow = z.strictObject({
  /** The name of the file in the specification's examples. */
  example: z.string(),
  /** What this play of the example is about, where there are several. */
  when: z.string().optional(),
  /** Why the outcome is what it is, where the text of the example does not tell at once. */
  remark: z.string().optional(),
  /** Further documents that are published before, by name. */
  others: z.record(z.string(), Document).optional(),
  /** A container engine, by images; and what must have become of it: containers made, images pulled, names of containers left. */
  engine: z
    .strictObject({
      images: z.record(z.string(), Image),
      made: z.number(),
      pulls: z.number().default(0),
      left: z.array(z.string()).optional(),
    })
    .optional(),
  /** What a WebSocket server sends to everybody who connects; «port» in `outside` is its port. */
  messages: z.array(Data).optional(),
  /** It ends the connection after them; else it is silent. */
  hangsUp: z.literal(true).optional(),
  /** Files of the directory that the workflow comes from, by name. */
  files: z.record(z.string().regex(/^(?:\w[\w.-]*\/)*\w[\w.-]*$/), z.string()).optional(),
  /** A gRPC server with one method; it answers its prefix and the text that came. `calls`: the texts that must have come. */
  grpc: z.strictObject({ port: z.number(), path: z.string(), prefix: z.string(), calls: z.array(z.string()) }).optional(),
  /** A program that is an MCP server, and how its tools must have been called. */
  tools: z.strictObject({ program: z.string(), calls: Data }).optional(),
  ...SceneShape,
});
export type ExampleRow = z.infer<typeof ExampleRow>;

const Table = z.strictObject({ examples: z.array(ExampleRow).min(1) });

const FILE = join(import.meta.dirname, "table.yaml");
const ROOT = join(import.meta.dirname, "../../..");

/** One row as it stands in the table, with its line. */
export interface PlacedRow {
  readonly row: ExampleRow;
  readonly place: string;
}

/** @throws Error naming the line of what is wrong with the table. */
export function readTable(): readonly PlacedRow[] {
  const file = relative(ROOT, FILE);
  const parsed = parseDocument(readFileSync(FILE, "utf8"), { file });
  if (parsed.json === undefined) throw new Error(parsed.findings.map((one) => `${file}:${one.line}: ${one.message}`).join("\n"));
  const placeOf = (pointer: string): string => `${file}:${parsed.positionOf(pointer).line}`;
  const checked = Table.safeParse(parsed.json);
  if (!checked.success) {
    const places = checked.error.issues.map(({ path, message }) => {
      return `${placeOf(path.map((key) => `/${String(key)}`).join(""))}: ${path.join(".")}: ${message}`;
    });
    throw new Error(places.join("\n"));
  }
  return checked.data.examples.map((row, index) => ({ row, place: placeOf(`/examples/${index}`) }));
}

/** The row with the example's text, as the suite's runner plays it. */
export function caseOf({ row, place }: PlacedRow, text: string): SuiteCase {
  const { example, when, remark, others = {}, output, error, expect, ...scene } = row;
  const {
    outside: _,
    engine: __,
    messages: ___,
    hangsUp: ________,
    tools: ____,
    put: _____,
    files: ______,
    grpc: _______,
    ...rest
  } = scene;
  return {
    id: when === undefined ? example : `${example} (${when})`,
    shows: remark ?? when ?? "as its text says",
    reference: example,
    place,
    documents: new Map([...Object.entries(others), ["main", readYaml(text, example)]]),
    texts: new Map([["main", text]]),
    surround: () => surroundingsOf(row),
    scene: rest,
    expect: { ...expect, ...(output !== undefined && { output }), ...(error !== undefined && { error }) },
  };
}
