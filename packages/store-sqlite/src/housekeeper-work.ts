import { checkpoint, type LogState } from "./checkpoint.ts";
import type { Connection } from "./connection.ts";

/** What the thread beside the writing one does. */
export function carryOut(connection: Connection): LogState {
  return checkpoint(connection);
}
