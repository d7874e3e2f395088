import type { BackOutPlan } from "../run-status.ts";
import type { Style } from "./style.ts";
import { oneLine } from "./text.ts";

/** What a back-out would do: the undos in their order, what comes to an end first, and what stays. */
export function renderBackOutPlan(runId: string, plan: BackOutPlan, style: Style): string {
  const lines: string[] = [];
  const section = (title: string, items: readonly string[]): void => {
    if (items.length > 0) lines.push(style.bold(title), ...items.map((item) => `  ${item}`), "");
  };
  section(
    "Ends first; what turns out to be done is undone as well",
    plan.inFlight.map((one) => `${oneLine(one.path)}  ${one.function}`),
  );
  section(
    "Would undo, in this order",
    plan.undo.map((one, index) => `${index + 1}. ${oneLine(one.path)}  by ${one.by.join(", ")}`),
  );
  section(
    "Nothing undoes",
    plan.stays.map((one) => `${oneLine(one.path)}  ${one.function} (${one.effect})`),
  );
  if (lines.length === 0) lines.push(`${runId} has done nothing that would have to be undone.`, "");
  lines.push(
    plan.to === undefined
      ? "Afterwards the run rests as backed out; a retry begins it anew. Nothing was changed."
      : `Afterwards the run is suspended at ${oneLine(plan.to)}; a resume goes on from there. Nothing was changed.`,
  );
  return `${lines.join("\n")}\n`;
}
