import { AppError, type Json } from "@tutti/model";
import type { Io } from "./io.ts";
import { parseDuration } from "./render/duration.ts";
import { RUN_STATUSES, type RunStatus } from "./run-status.ts";
import { assignAll, readValue } from "./values.ts";

/** The input from `-f` with the members of `--set` in it; `{}` when neither is given. */
export async function readInputOptions(io: Io, options: { readonly input?: string; readonly set: readonly string[] }): Promise<Json> {
  return assignAll(options.input === undefined ? {} : await readValue(io, options.input), options.set);
}

/** @throws AppError `usage`. */
export function parseTimeout(text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseDurationOption(text, "--timeout");
}

/** @throws AppError `usage`. */
export function parseDurationOption(text: string, option: string): number {
  const ms = parseDuration(text);
  if (ms === undefined || ms === 0) throw new AppError("usage", `${option} takes a duration such as 30s, 5m or 2h, and got \`${text}\`.`);
  return ms;
}

/** @throws AppError `usage`. */
export function parseCount(text: string, option: string, max: number): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || count < 1 || count > max)
    throw new AppError("usage", `${option} takes a number from 1 to ${max}, and got \`${text}\`.`);
  return count;
}

/** @throws AppError `usage`. */
export function parseStatuses(text: string): readonly RunStatus[] {
  return text.split(",").map((word) => {
    const status = RUN_STATUSES.find((known) => known === word.trim());
    if (status === undefined)
      throw new AppError("usage", `\`${word}\` is no status of a run.`, {
        hint: `One or more of ${RUN_STATUSES.join(", ")}, with commas between.`,
      });
    return status;
  });
}
