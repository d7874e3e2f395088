import { AppError, type JsonObject } from "@tutti/model";
import type { Io } from "./io.ts";
import { createStyle } from "./render/style.ts";
import { visible } from "./render/text.ts";

/** What `--json` prints on standard error when a command fails. */
export interface ErrorJson {
  readonly error: { readonly code: string; readonly message: string; readonly hint: string; readonly details: JsonObject };
}

export function errorJson(error: unknown): ErrorJson {
  if (error instanceof AppError) return { error: { code: error.code, message: error.message, hint: error.hint, details: error.details } };
  return { error: { code: "internal", message: error instanceof Error ? error.message : String(error), hint: BUG_HINT, details: {} } };
}

const BUG_HINT = "This is a bug in Tutti. With TUTTI_DEBUG=1 the same command prints where it happened.";

/** Says what went wrong, and what to do. Stack traces are for people who ask for them. */
export function printError(io: Io, error: unknown, isJson: boolean): void {
  const { error: told } = errorJson(error);
  const wantsStack = Boolean(io.environment["TUTTI_DEBUG"]);
  if (isJson) io.error(`${JSON.stringify({ error: told })}\n`);
  else {
    const style = createStyle(io.isColour);
    io.error(`${style.bad("error")} ${visible(told.message)}  ${style.dim(`[${told.code}]`)}\n`);
    if (told.hint !== "") io.error(`${visible(told.hint)}\n`);
  }
  if (wantsStack && error instanceof Error)
    io.error(`${error.stack ?? ""}\n${error.cause instanceof Error ? `cause: ${error.cause.stack ?? ""}\n` : ""}`);
}
