import { z } from "zod";

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

/** Tenants come with the platform modules; until then every run belongs to this one. */
export const DEFAULT_TENANT = "default";
