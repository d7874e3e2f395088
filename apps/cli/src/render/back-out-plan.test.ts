import { expect, test } from "vitest";
import { renderBackOutPlan } from "./back-out-plan.ts";
import { createStyle } from "./style.ts";

const style = createStyle(false);
const call = { task: 4, path: "/do/mail", function: "mail.send:1@mail", effect: "unsafe" } as const;

test("a plan says what is undone in which order, what ends first, and what stays", () => {
  const plan = {
    undo: [
      { task: 3, path: "/do/vm", by: ["vm.delete:1@libvirt"] },
      { task: 1, path: "/do/disk", by: ["volume.delete:1@libvirt", "set"] },
    ],
    stays: [call],
    inFlight: [{ ...call, path: "/do/dns" }],
    to: "/do/disk",
  };
  expect(renderBackOutPlan("run_1", plan, style)).toBe(
    [
      "Ends first; what turns out to be done is undone as well",
      "  /do/dns  mail.send:1@mail",
      "",
      "Would undo, in this order",
      "  1. /do/vm  by vm.delete:1@libvirt",
      "  2. /do/disk  by volume.delete:1@libvirt, set",
      "",
      "Nothing undoes",
      "  /do/mail  mail.send:1@mail (unsafe)",
      "",
      "Afterwards the run is suspended at /do/disk; a resume goes on from there. Nothing was changed.",
      "",
    ].join("\n"),
  );
});

test("a run that has done nothing says so", () => {
  expect(renderBackOutPlan("run_1", { undo: [], stays: [], inFlight: [], to: undefined }, style)).toBe(
    "run_1 has done nothing that would have to be undone.\n\nAfterwards the run rests as backed out; a retry begins it anew. Nothing was changed.\n",
  );
});
