import { expect, test } from "vitest";
import { renderTable } from "./table.ts";

const columns = [{ title: "RUN" }, { title: "TOOK", align: "right" as const }, { title: "WHY" }];
const rows = [
  ["run_a", "1.2 s", "a reason that goes on for long"],
  ["run_abc", "12 s", ""],
];

test("columns are aligned, and only the last is cut to the width", () => {
  expect(renderTable(columns, rows, 30, (title) => title)).toBe("RUN       TOOK  WHY\nrun_a    1.2 s  a reason that…\nrun_abc   12 s\n");
  expect(renderTable(columns, rows, 10_000, (title) => title).split("\n")[1]).toBe("run_a    1.2 s  a reason that goes on for long");
});

test("a column that may shrink gives way before the line gets too long", () => {
  const narrow = [{ title: "RUN" }, { title: "WORKFLOW", shrinks: true }, { title: "WHY" }];
  const text = renderTable(narrow, [["run_a", "default/deploy-server:1.0.0", "a long reason"]], 30, (title) => title);
  expect(text).toBe("RUN    WORKFLOW       WHY\nrun_a  default/depl…  a long …\n");
  expect(text.split("\n").every((line) => line.length <= 30)).toBe(true);
});
