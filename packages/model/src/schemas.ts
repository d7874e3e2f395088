// `@tutti/model/schemas`: apart from the rest, so that what checks nothing, such as a store's thread, does not load a schema library.
import { z } from "zod";
import type { Json } from "./json.ts";

/** Identifies a run: `run_` and 16 characters of base 36. */
export const RunId = z
  .string()
  .regex(/^run_[0-9a-z]{16}$/, "a run id is run_ and 16 characters of 0-9a-z")
  .brand<"RunId">();
export type RunId = z.infer<typeof RunId>;

/**
 * Identifies an intended effect over all its attempts: `tok_` and 32 hexadecimal characters.
 *
 * Derived from run, task path, iterations, visit and group (see the engine's `token.ts`), so a retry or a restart finds what an
 * earlier attempt made. Short and plain enough for host names, labels, comments and headers.
 */
export const Token = z
  .string()
  .regex(/^tok_[0-9a-f]{32}$/)
  .brand<"Token">();
export type Token = z.infer<typeof Token>;

/**
 * Text that is not empty. Not `min(1)`: Zod compares the length also of what is neither text nor list, and throws where that cannot be compared, as of
 * `{"length":{"toString":0}}`.
 */
export const NotEmptyText = z
  .string()
  .refine((text) => text.length > 0, { error: "must not be empty" })
  .meta({ minLength: 1 });

/** Accepts events from outside; unknown attributes are kept as extensions. */
export const CloudEventSchema = z
  .object({
    specversion: z.literal("1.0").default("1.0"),
    id: NotEmptyText,
    source: NotEmptyText,
    type: NotEmptyText,
    time: z.iso.datetime({ offset: true }).optional(),
    subject: NotEmptyText.optional(),
    datacontenttype: NotEmptyText.optional(),
    dataschema: NotEmptyText.optional(),
    data: z.custom<Json>().optional(),
  })
  .catchall(z.custom<Json>());
