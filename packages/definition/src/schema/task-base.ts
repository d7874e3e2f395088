import { z } from "zod";
import { AnyObject } from "./building-blocks.ts";
import { Export, Input, Output } from "./data-flow.ts";
import { TimeoutOrName } from "./fault.ts";

/** `continue`, `exit`, `end`, or the name of a task of the same list. */
export const FlowDirective = z.string();

/** What every task may have. */
export const taskBase = {
  if: z.string().optional(),
  input: Input.optional(),
  output: Output.optional(),
  export: Export.optional(),
  timeout: TimeoutOrName.optional(),
  then: FlowDirective.optional(),
  metadata: AnyObject.optional(),
} as const;
