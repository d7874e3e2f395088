import { ConnectorError } from "@tutti/connector-kit";
import type { Json } from "@tutti/model";
import { broken, type Verdict } from "./target.ts";

/** How a call ended: with an output, or with an error that a workflow can see. */
export type CallEnd = { readonly output: Json } | { readonly error: ConnectorError };

/** @throws what is no documented error. */
export async function endOf(call: Promise<Json>): Promise<CallEnd> {
  try {
    return { output: await call };
  } catch (error) {
    if (error instanceof ConnectorError) return { error };
    throw error;
  }
}

/** What holds of every end of a call, whatever was answered. */
export function judgeEnd(end: CallEnd): Verdict {
  if ("output" in end) {
    return end.output === undefined || JSON.stringify(end.output) === undefined
      ? broken("an output that is no JSON", typeof end.output)
      : undefined;
  }
  const { message, outcome, status } = end.error;
  if (message === "") return broken("an error without a message", outcome);
  if (outcome === "answered" && status !== undefined && !(status >= 100 && status <= 999))
    return broken("a status that is none", String(status));
  return undefined;
}
