import { NotEmptyText, z } from "@tutti/connector-kit";
import type { Json } from "@tutti/model";

const JsonValue = z.custom<Json>((value) => value !== undefined);

const Common = {
  /** Text as it is, anything else as JSON. */
  stdin: JsonValue.optional(),
  arguments: z.array(z.union([z.string(), z.number(), z.boolean()])).default([]),
  environment: z
    .record(z.string().regex(/^[^=\0]+$/, "is a name without ="), z.union([z.string(), z.number(), z.boolean(), z.null()]))
    .default({}),
};

const Outcome = {
  await: z.boolean().default(true),
  return: z.enum(["stdout", "stderr", "code", "all", "none"]).default("stdout"),
};

export const ShellInput = z.strictObject({ shell: z.strictObject({ command: z.string(), ...Common }), ...Outcome });

const Source = z.strictObject({
  name: z.string().optional(),
  endpoint: z.union([NotEmptyText, z.strictObject({ uri: NotEmptyText })]),
});

export const ScriptInput = z.strictObject({
  script: z
    .strictObject({ language: z.string(), code: z.string().optional(), source: Source.optional(), ...Common })
    .refine((script) => (script.code === undefined) !== (script.source === undefined), "has either code or a source"),
  ...Outcome,
});

export type ProcessReturn = z.infer<typeof ShellInput>["return"];
/** What shell and script have in common. */
export type ProcessSettings = Pick<z.infer<typeof ShellInput>["shell"], "stdin" | "arguments" | "environment">;
export type ScriptSettings = z.infer<typeof ScriptInput>["script"];
