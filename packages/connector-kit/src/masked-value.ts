import type { Json } from "@tutti/model";
import { ConnectorError } from "./connector.ts";

/** What stands in outputs, errors and logs where a secret was. */
export const MASK = "***";

/**
 * Refuses to put back what was masked. Outputs are stored without their secrets, so what an undo is given of them may lack a part: written
 * back, it would replace what was there by asterisks.
 *
 * @throws ConnectorError `validation`, never-began, naming `what`.
 */
export function mustBeWhole(value: Json, what: string): void {
  if (!JSON.stringify(value).includes(MASK)) return;
  throw new ConnectorError(
    `${what} held a secret, which is not kept (${MASK}), so it can't be put back as it was: put it back by hand, then settle or skip this.`,
    { kind: "validation", outcome: "never-began" },
  );
}
