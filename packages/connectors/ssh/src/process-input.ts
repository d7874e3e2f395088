import { z } from "@tutti/connector-kit";
import type { Json } from "@tutti/model";
import { quoted, RemotePath } from "./names.ts";

/** A program of ours is read byte by byte by the host's shell: a quarter of a MiB takes it a third of a second. */
export const PROGRAM_CHARACTERS_MAX = 256 * 1024;
const WORDS_MAX = 1000;
const WORD_CHARACTERS_MAX = 128 * 1024;

export const Text = z.string().regex(/^[^\0]*$/, "is text without NUL");
export const Words = z.array(Text.max(WORD_CHARACTERS_MAX)).min(1).max(WORDS_MAX);

/** What commands and scripts have in common. */
export const ProcessInput = {
  directory: RemotePath.optional().meta({ description: "Where it runs; left out: the account's home" }),
  environment: z
    .record(z.string().regex(/^[A-Za-z_]\w{0,127}$/, "is a name of letters, digits and _"), z.union([Text, z.number(), z.boolean()]))
    .default({})
    .meta({ description: "Variables besides those of the account; they stand on no command line" }),
  stdin: z
    .custom<Json>((value) => value !== undefined)
    .optional()
    .meta({ description: "Its standard input: text as it is, anything else as JSON" }),
  codes: z
    .array(z.int().min(0).max(255))
    .min(1)
    .max(256)
    .default([0])
    .meta({ description: "Exit codes that are no failure; the output tells which it was" }),
};

export const ProcessOutput = z.strictObject({
  code: z.number(),
  /** Without one line end at the very end. */
  stdout: z.string(),
  stderr: z.string(),
});

export function stdinOf(stdin: Json | undefined): Buffer {
  if (stdin === undefined || stdin === null) return Buffer.alloc(0);
  return Buffer.from(typeof stdin === "string" ? stdin : JSON.stringify(stdin), "utf8");
}

/** Lines of a shell that set the variables of a call. */
export function exportsOf(
  environment: Readonly<Record<string, string | number | boolean>>,
  attempt: { readonly token: string; readonly runId: string; readonly taskPath: string },
): readonly string[] {
  const variables = { ...environment, TUTTI_TOKEN: attempt.token, TUTTI_RUN: attempt.runId, TUTTI_TASK: attempt.taskPath };
  return Object.entries(variables).map(([name, value]) => `export ${name}=${quoted(String(value))}`);
}
